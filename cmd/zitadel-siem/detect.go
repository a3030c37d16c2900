package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/alecthomas/kong"
	"github.com/tidwall/gjson"

	"github.com/zitadel-siem/zitadel-siem/detections"
	"github.com/zitadel-siem/zitadel-siem/internal/bounded"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/detect"
	"github.com/zitadel-siem/zitadel-siem/internal/durable"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/schema"
	"github.com/zitadel-siem/zitadel-siem/internal/sink"
	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
)

type detectCommand struct {
	Files     []string `arg:"" optional:"" help:"Files of records. Without any, or for -, read standard input."`
	Rules     string   `help:"Directory of Sigma rules (.yml) to use instead of the built-in ones." placeholder:"DIR" type:"path"`
	StatePath string   `help:"File that keeps what correlations have counted, over a restart." placeholder:"FILE" type:"path"`
	MinLevel  string   `help:"Lowest level of rules that give alerts: informational, low, medium, high or critical." default:"low" enum:"informational,low,medium,high,critical"`
	Format    string   `help:"Format of the alerts: ecs, or ocsf for Detection Findings of OCSF 1.8.0. The records that are read are in ECS or raw, whatever this says." default:"ecs" enum:"ecs,ocsf"`
	List      bool     `help:"List the rules, and exit."`
	Docs      bool     `hidden:"" help:"Write docs/detections.md to standard output."`
	Status    bool     `help:"Print at the end how many records and alerts there were, even if standard error is not a terminal."`

	kong.Plugins
}

func (c *detectCommand) Help() string {
	return "Reads records in the format ecs (or events in the format raw), one JSON object a line, and prints alerts as JSON lines: the rule, its level, who it was, and the ids of the events. " +
		"With --forward, the alerts go to a Fluent Bit instead. It uses the time of the events, so that a file gives the same alerts as the live stream. " +
		"For example: zitadel-siem pull --format ecs | tee -a zitadel.ndjson | zitadel-siem detect. pull --detect does the same in one process."
}

func (c *detectCommand) Run(ctx context.Context, console *terminal.Console) error {
	set, err := loadRules(c.Rules)
	if err != nil {
		return err
	}
	switch {
	case c.List:
		return listRules(os.Stdout, set)
	case c.Docs:
		return writeDetectionDocs(os.Stdout, set)
	}
	settings, err := settingsOf(config.Detect, c.Plugins, console)
	if err != nil {
		return err
	}
	to, encode, err := sink.Open(settings, format.Raw(), &sink.Lines{File: os.Stdout})
	if err != nil {
		return err
	}
	if c.Format == schema.OCSF.String() {
		encode = asFinding(config.OCSF18, encode)
	}
	level, err := detect.ParseLevel(c.MinLevel)
	if err != nil {
		return err
	}
	table, err := format.Table("")
	if err != nil {
		return err
	}
	run := detectRun{
		out:   &sink.Buffer{Sink: to, Encode: encode, Tag: cmp.Or(settings.Tag, detect.Tag), Size: settings.ChunkSize, Log: console.Logger()},
		table: table, writer: schema.NewWriter(schema.Options{Format: schema.ECS}),
	}
	run.engine = detect.New(set, detect.Options{MinLevel: level, Emit: func(a *detect.Alert) { run.out.Add(a) }})
	if c.StatePath != "" {
		if run.state, err = detect.OpenState(c.StatePath, run.engine); errors.Is(err, durable.ErrLocked) {
			return errors.Join(fmt.Errorf("%w: give another --state-path", err), to.Close())
		} else if err != nil {
			return errors.Join(err, to.Close())
		}
	}
	run.engine.Start(time.Now())
	err = run.files(ctx, c.Files)
	switch {
	case run.state == nil:
	case err != nil: // alerts may not have been delivered
		err = errors.Join(err, run.state.Abandon())
	default:
		err = run.state.Close()
	}
	err = errors.Join(err, to.Close())
	console.Clear()
	s := run.engine.Stats
	if c.Status || console.Terminal || s.Malformed > 0 {
		console.Line(run.summary())
	}
	if err == nil && s.Records == 0 && s.Malformed > 0 {
		err = fmt.Errorf("none of the lines is a record in ECS: write them with zitadel-siem pull --format ecs%w", silent{errUsage})
	}
	return err
}

func writeDetectionDocs(w io.Writer, set *detect.Set) error {
	table, err := format.Table("")
	if err != nil {
		return err
	}
	return detections.WriteDocs(w, set, table)
}

// loadRules reads the rules of a directory, or the built-in ones.
func loadRules(dir string) (*detect.Set, error) {
	if dir == "" {
		return detections.Rules()
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("rules: %w; name a directory of Sigma rules, or leave the option out for the built-in ones%w", err, silent{errUsage})
	}
	set, err := detect.Load(os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("rules in %s:\n%w%w", dir, err, silent{errUsage})
	}
	return set, nil
}

func listRules(w io.Writer, set *detect.Set) error {
	for _, r := range set.Rules {
		if !r.Alerts() {
			continue
		}
		if _, err := fmt.Fprintf(w, "%-13s %-34s %s\n", r.Level, cmp.Or(r.Name, r.ID), r.Title); err != nil {
			return err
		}
	}
	return nil
}

// detectRun is one run over some inputs.
type detectRun struct {
	engine *detect.Engine
	state  *detect.State // nil: counts end with the process
	out    *sink.Buffer
	synced time.Time
	ticked time.Time

	table    *schema.Table
	writer   *schema.Writer
	activity schema.Activity
	scratch  []byte
}

func (run *detectRun) files(ctx context.Context, names []string) error {
	if len(names) == 0 {
		names = []string{"-"}
	}
	for _, name := range names {
		err := run.file(ctx, name)
		if err != nil || ctx.Err() != nil { // Ctrl-C is no error: what was read was evaluated
			return err
		}
	}
	return nil
}

func (run *detectRun) file(ctx context.Context, name string) error {
	if name == "-" {
		return run.read(ctx, os.Stdin, "standard input", true)
	}
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("records: %w%w", err, silent{errUsage})
	}
	defer f.Close()
	return run.read(ctx, f, name, false)
}

const (
	// idle is how often silences are looked for while nothing comes.
	idle = time.Second
	// current is how old the newest record may be in a stream that never pauses, if it is
	// to count as up to date. A heartbeat that waits in a backlog is no silence.
	current = time.Minute
	// syncEvery bounds what a kill can lose of a stream that never pauses.
	syncEvery = time.Second
)

// read evaluates in until its end, or until ctx ends. Only a live input can be silent.
func (run *detectRun) read(ctx context.Context, in io.Reader, name string, live bool) error {
	pieces, free := make(chan piece, 2), make(chan []byte, 2)
	defer close(free)
	free <- make([]byte, pieceSize)
	free <- make([]byte, pieceSize)
	go readPieces(ctx, in, pieces, free)
	var begun []byte // a line whose end is not read yet
	for {
		p, ok := run.await(ctx, pieces)
		if !ok {
			if live {
				run.tick(time.Now())
			}
			if err := run.deliver(ctx, true); err != nil {
				return err
			}
			continue
		}
		for line := range bytes.Lines(p.b) {
			ends := line[len(line)-1] == '\n'
			if len(begun) > 0 || !ends {
				begun = append(begun, line[:min(len(line), maxRecord+1-len(begun))]...)
				line = begun
			}
			if ends {
				run.line(line)
				begun = begun[:0]
			}
		}
		if p.err != nil && len(begun) > 0 {
			run.line(begun)
		}
		if now := time.Now(); live && now.Sub(run.ticked) > idle && now.Sub(run.engine.Newest()) < current {
			run.tick(now)
		}
		err := run.deliver(ctx, p.err != nil || len(pieces) == 0)
		if p.err != nil && !errors.Is(p.err, io.EOF) {
			err = errors.Join(fmt.Errorf("%s: %w", name, bounded.WithoutPath(p.err)), err)
		}
		if p.err != nil || err != nil {
			return err
		}
		free <- p.b[:pieceSize]
	}
}

// await returns the next piece, or false if none comes for a while.
func (run *detectRun) await(ctx context.Context, pieces <-chan piece) (piece, bool) {
	timer := time.NewTimer(idle)
	defer timer.Stop()
	select {
	case p := <-pieces:
		return p, true
	case <-ctx.Done():
		return nextPiece(ctx, pieces), true
	case <-timer.C:
	}
	select { // what has come is no silence
	case p := <-pieces:
		return p, true
	default:
		return piece{}, false
	}
}

// tick looks for silences.
func (run *detectRun) tick(now time.Time) {
	run.ticked = now
	run.engine.Tick(now)
}

// deliver sends the alerts, and then makes durable what led to them: after a crash in
// between, the same records give the same alerts again.
func (run *detectRun) deliver(ctx context.Context, pause bool) error {
	if err := run.out.Flush(ctx); err != nil || run.state == nil {
		return err
	}
	if now := time.Now(); pause || now.Sub(run.synced) > syncEvery {
		run.synced = now
		return run.state.Sync()
	}
	return nil
}

func (run *detectRun) line(line []byte) {
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return
	}
	// Only an event in the format raw has event.type as one text beside its source.
	if source := gjson.GetBytes(line, "source"); source.Type == gjson.String {
		if r, ok := rawEvent(line); ok {
			run.table.Event(&run.activity, r)
			run.scratch = run.writer.AppendLine(run.scratch[:0], &run.activity)
			line = run.scratch
		}
	}
	run.engine.Record(line, time.Now())
}

// summary is the last line of a run.
func (run *detectRun) summary() string {
	s := run.engine.Stats
	text := fmt.Sprintf("%s alerts of %s records", terminal.Thousands(s.Alerts), terminal.Thousands(s.Records))
	for _, p := range []struct {
		n    uint64
		text string
	}{
		{s.Malformed, "lines are no records in ECS"},
		{s.Evicted, "groups of correlations had no room"},
		{s.Dropped, "events of groups had no room"},
		{s.Ahead, "records are dated in the future, and counted as of now: set the clock of this machine, or of ZITADEL"},
	} {
		if p.n > 0 {
			text += "; " + terminal.Thousands(p.n) + " " + p.text
		}
	}
	return text
}
