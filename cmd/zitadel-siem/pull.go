package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

type pullCommand struct {
	Once   bool `help:"Read what is there now, wait settle and overlap for late events, and end."`
	Status bool `help:"A status line on standard error every second, also where that is no terminal."`

	kong.Plugins
}

func (c *pullCommand) Help() string {
	return "Each line is one event. With --state-path the next run goes on where this one stopped: the state moves " +
		"after the lines were written, so that a crash repeats some and loses none. To remember events by, use event.id. " +
		"Every option can be given as a variable instead (ZITADEL_URL); a token only so, or in a file."
}

func (c *pullCommand) Run(ctx context.Context, console *console) error {
	values := optionValues(config.Input, c.Plugins)
	if _, ended := values["end"]; c.Once && ended {
		return fmt.Errorf("--once and --end contradict each other: give one%w", silent{errUsage})
	}
	settings, err := settingsOf(config.Input, c.Plugins, console)
	if err != nil {
		return err
	}
	if c.Once {
		settings.End = time.Now()
	}
	core, err := openCore(ctx, settings, console.logger())
	if err != nil {
		return err
	}

	statusCtx, stopStatus := context.WithCancel(ctx)
	statusDone := make(chan struct{})
	go func() {
		defer close(statusDone)
		if c.Status || console.terminal && !isTerminal(os.Stdout) {
			showStatus(statusCtx, console, core.progress)
		}
	}()
	out := lines{file: os.Stdout, durable: settings.StatePath != ""}
	if err = out.mend(); err == nil {
		err = core.run(ctx, out.write)
	}
	stopStatus()
	<-statusDone
	console.clear()
	if err = errors.Join(err, core.close()); errors.Is(err, syscall.EPIPE) {
		return err
	}
	if c.Status || console.terminal {
		console.line(core.summary(out.written))
	}
	return err
}

// lines writes records as JSON lines, one write(2) for a batch.
type lines struct {
	file    *os.File
	durable bool // a cursor moves on what was written: it must be on disk
	buf     []byte
	written uint64
}

// mend ends a line that a killed run or a full disk cut in two, where output
// is appended to a file. The first event of this run would be lost in it.
func (l *lines) mend() error {
	info, err := l.file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return nil
	}
	// Standard output may be open for writing only.
	f, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", l.file.Fd()))
	if err != nil {
		return nil // not Linux, or a file that we may write and not read
	}
	defer f.Close()
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, info.Size()-1); err != nil || last[0] == '\n' {
		return nil
	}
	if _, err := l.file.WriteString("\n"); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

func (l *lines) write(records []record.Record) error {
	l.buf = l.buf[:0]
	for i := range records {
		l.buf = append(record.AppendJSON(l.buf, &records[i]), '\n')
	}
	if _, err := l.file.Write(l.buf); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	if l.durable {
		// A file can be synced; a pipe, a terminal or a socket says EINVAL,
		// and its reader is then responsible.
		if err := l.file.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
			return fmt.Errorf("standard output: %w", err)
		}
	}
	l.written += uint64(len(records))
	return nil
}

// summary is the last line of a run.
func (c *core) summary(written uint64) string {
	took := time.Since(c.began)
	parts := []string{fmt.Sprintf("%s events in %s (%s/s)", thousands(written), roughly(took), thousands(uint64(float64(written)/max(took.Seconds(), 1e-3))))}
	s := c.reader.Stats()
	var failed uint64
	for _, n := range s.Errors() {
		failed += n
	}
	for _, p := range []struct {
		n    uint64
		text string
	}{
		{failed, "failed calls, repeated where that could help"},
		{s.Late.Load(), "came late"},
		{s.Duplicates.Load(), "read again and dropped"},
		{s.Filtered.Load(), "not wanted by the filters"},
		{s.Own.Load(), "left out by exclude_own"},
		{s.Hidden.Load(), "hidden by retention"},
		{s.Unreadable.Load(), "that ZITADEL cannot give"},
		{s.HolesGivenUp.Load(), "holes given up"},
	} {
		if p.n > 0 {
			parts = append(parts, thousands(p.n)+" "+p.text)
		}
	}
	if c.state != nil {
		parts = append(parts, "state in "+c.settings.StatePath)
	}
	return strings.Join(parts, "; ")
}
