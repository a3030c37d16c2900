package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/zitadel-siem/zitadel-siem/internal/chunks"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/sink"
	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
	"github.com/zitadel-siem/zitadel-siem/internal/verify"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

type verifyCommand struct {
	From             string   `help:"First date of the span, RFC 3339 or a day (2026-10-01)." required:"" placeholder:"TIME"`
	To               string   `help:"End of the span, not included, RFC 3339 or a day." required:"" placeholder:"TIME"`
	Records          []string `help:"Export of the SIEM: one JSON object a line, or the answer of a search; gzip is recognized. Several files: give it several times. - is standard input." required:"" placeholder:"FILE" sep:"none"`
	IDPath           string   `name:"id-path" help:"Where the id of the event is in a line, such as _source.event.id. Without it, the first lines are searched." placeholder:"PATH"`
	Report           string   `help:"Write the whole report to FILE: a page to print if it ends in .html, else JSON." placeholder:"FILE" type:"path"`
	AcceptRedacted   bool     `name:"accept-redacted" help:"Values that only the copy or only this run redacts are no difference. They are listed. For a copy that another version wrote."`
	AcceptPseudonyms bool     `name:"accept-pseudonyms" help:"Pseudonyms that cannot be compared, because their key is not here, are no difference. They are listed."`

	Repair bool `help:"Emit the missing events, with their ids, to --forward or to standard output."`

	kong.Plugins
}

func (c *verifyCommand) Help() string {
	return "Reads the span from ZITADEL, compares it with an export of the SIEM, and says what is missing, foreign, doubled or altered. " +
		"Give the options that pull had: instance, filters, tier, pseudonyms. The format of the records is found. " +
		"Exit status: 0 complete and equal, 1 there are differences, 2 it could not be verified. " +
		"For example: zitadel-siem verify --from 2026-10-01 --to 2026-11-01 --records october.ndjson --report october.html"
}

// notVerified gives the exit status 2: it is not known whether the copy is complete.
func notVerified(err error) error { return fmt.Errorf("%w%w", err, silent{errUsage}) }

func (c *verifyCommand) Run(ctx context.Context, console *terminal.Console) error {
	result, err := c.verify(ctx, console)
	if result == nil {
		return err
	}
	console.Clear()
	if c.Report != "" {
		if e := writeReport(c.Report, result); e != nil {
			return notVerified(errors.Join(err, fmt.Errorf("--report: %w", e)))
		}
	}
	if errors.Is(err, syscall.EPIPE) {
		return err
	}
	if err != nil && ctx.Err() != nil {
		return notVerified(errors.New("not verified: interrupted before the end"))
	}
	if err != nil {
		return notVerified(fmt.Errorf("not verified: %w", err))
	}
	text := io.Writer(os.Stdout)
	if c.Repair { // the records may be there
		text = os.Stderr
	}
	if err := result.WriteText(text); err != nil || result.Verdict == verify.Complete {
		return err
	}
	return errReported
}

// verify returns no result if the run could not begin.
func (c *verifyCommand) verify(ctx context.Context, console *terminal.Console) (*verify.Result, error) {
	o := verify.Options{AcceptRedacted: c.AcceptRedacted, AcceptPseudonyms: c.AcceptPseudonyms, Log: console.Logger(), Progress: new(verify.Progress)}
	var err error
	if o.From, o.To, err = c.span(); err != nil {
		return nil, notVerified(err)
	}
	if c.Report != "" {
		if _, err := os.Stat(filepath.Dir(c.Report)); err != nil {
			return nil, notVerified(fmt.Errorf("--report: %w", err))
		}
	}
	for _, name := range c.Records {
		in, err := verify.OpenInput(ctx, name, &o.Progress.Bytes)
		if err != nil {
			return nil, notVerified(fmt.Errorf("--records: %w", err))
		}
		defer in.Close()
		o.Inputs = append(o.Inputs, in)
	}
	if o.Found, err = verify.Inspect(o.Inputs, c.IDPath); err != nil {
		return nil, notVerified(fmt.Errorf("--records: %w", err))
	}
	settings, err := c.settings(&o, console)
	if err != nil {
		return nil, err
	}
	o.Settings = settings.Settings
	if err := c.settled(&o.Settings, o.To); err != nil {
		return nil, notVerified(err)
	}
	client, err := zitadel.New(ctx, o.Settings, zitadel.Options{Log: o.Log, TokenName: "ZITADEL_TOKEN"})
	if err != nil {
		return nil, notVerified(err)
	}
	defer client.Close()
	o.Client = client
	if c.Repair {
		repair, end, err := repairer(settings, console)
		if err != nil {
			return nil, notVerified(err)
		}
		defer end()
		o.Repair = repair
	}
	defer c.show(ctx, console, o.Progress)()
	return verify.Run(ctx, o)
}

// span reads the dates of the command line.
func (c *verifyCommand) span() (from, to time.Time, err error) {
	for _, f := range []struct {
		flag, text string
		to         *time.Time
	}{{"--from", c.From, &from}, {"--to", c.To, &to}} {
		t, err := time.Parse(time.RFC3339Nano, f.text)
		if err != nil {
			t, err = time.Parse(time.DateOnly, f.text)
		}
		if err != nil {
			return from, to, fmt.Errorf("%s %q is no date: write 2026-10-01 (UTC) or 2026-10-01T00:00:00Z", f.flag, f.text)
		}
		*f.to = t.UTC()
	}
	if !to.After(from) {
		return from, to, fmt.Errorf("--to %s is not after --from %s, so that there is nothing to verify", c.To, c.From)
	}
	return from, to, nil
}

// settled refuses a span in which events can still appear.
func (c *verifyCommand) settled(s *config.Settings, to time.Time) error {
	late := s.Settle + s.Overlap
	if until := time.Now().Add(-late); to.After(until) {
		return fmt.Errorf("--to %s is younger than settle and overlap (%s): events can still appear before it, and the copy cannot have them yet; use --to %s, and an export made after that",
			c.To, late, until.UTC().Truncate(time.Second).Format(time.RFC3339))
	}
	return nil
}

// settings are those of pull, with the format that the copy has.
func (c *verifyCommand) settings(o *verify.Options, console *terminal.Console) (config.PullSettings, error) {
	values := optionValues(config.Verify, c.Plugins)
	found := o.Found.Format
	switch given := values["format"]; {
	case given == "cef" || given == "leef":
		return config.PullSettings{}, notVerified(fmt.Errorf("--format %s cannot be compared: verify reads raw, ecs and ocsf", given))
	case found == verify.IDs || found == "":
	case given != "" && given != found:
		return config.PullSettings{}, notVerified(fmt.Errorf("--format %s: the records are in the format %s; leave --format out", given, found))
	default:
		values["format"] = found
	}
	if v := o.Found.OCSFVersion; v != "" && found == verify.OCSF && values["ocsf_version"] == "" {
		values["ocsf_version"] = v
	}
	if o.Found.KeepOriginal && values["keep_original"] == "" {
		values["keep_original"] = "on"
	}
	settings, err := parseValues(config.Verify, values, console, config.ParseOptions{})
	if err == nil && !c.Repair && settings.Out.Forward != (config.Forward{}) {
		console.Warn("forward has no effect without --repair")
	}
	return settings, err
}

// repairer sends events where pull would. It counts what is acknowledged.
func repairer(settings config.PullSettings, console *terminal.Console) (repair func(context.Context, []record.Record) (int, error), end func(), err error) {
	f, err := format.Open(settings.Settings.Format)
	if err != nil {
		return nil, nil, err
	}
	lines := &sink.Lines{File: os.Stdout, Durable: true}
	to, encode, err := sink.Open(settings.Out, f, lines)
	if err != nil {
		return nil, nil, err
	}
	if to == lines {
		if err := lines.EndCutLine(); err != nil {
			return nil, nil, err
		}
	}
	const chunk = 1 << 20 // bytes of one message; a Fluent Bit takes up to 6 MB
	out := &sink.Buffer{Sink: to, Encode: encode, Tag: cmp.Or(settings.Out.Tag, "zitadel"), Size: chunk, Log: console.Logger()}
	if to != lines {
		out.Limit = chunks.Limit(settings.MaxChunk)
	}
	repair = func(ctx context.Context, events []record.Record) (int, error) {
		n := 0
		for _, e := range events {
			if out.Add(e) {
				n++
			}
		}
		if err := out.Flush(ctx); err != nil {
			return 0, fmt.Errorf("repair: %w", err)
		}
		return n, nil
	}
	return repair, func() { _ = to.Close() }, nil
}

// show shows the progress: each second on a terminal, each minute elsewhere.
func (c *verifyCommand) show(ctx context.Context, console *terminal.Console, p *verify.Progress) (stop func()) {
	every := time.Minute
	if console.Terminal {
		every = time.Second
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		terminal.ShowEvery(ctx, console, every, p.Line)
	}()
	return func() { cancel(); <-done }
}

// writeReport writes the report for its owner alone: it has ids and names of fields.
func writeReport(path string, r *verify.Result) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		if err := f.Chmod(0o600); err != nil { // of a file that was there
			return errors.Join(err, f.Close())
		}
	}
	write := r.WriteJSON
	if ext := strings.ToLower(filepath.Ext(path)); ext == ".html" || ext == ".htm" {
		write = r.WriteHTML
	}
	return errors.Join(write(f), f.Close())
}
