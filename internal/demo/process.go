package demo

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
)

// program runs the processes of a pipeline, shows their logs and counts the errors in
// them.
type program struct {
	path    string
	console *terminal.Console
	shown   *regexp.Regexp // lines of the log that are shown
	failure *regexp.Regexp // lines that report an error
	errors  atomic.Uint64
}

func (p *program) failures() uint64 { return p.errors.Load() }

// child runs cmd until it ends by itself or ctx ends, and gives its JSON lines to show.
func (p *program) child(ctx context.Context, show func([]byte), cmd *exec.Cmd) error {
	// Ctrl-C is for the demo alone: the child ends when the last records have arrived.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = killAfter
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var last []string
	var readers sync.WaitGroup
	readers.Go(func() { records(stdout, show) })
	readers.Go(func() { last = p.follow(ctx, stderr) })
	readers.Wait()
	if err := cmd.Wait(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("%s ended by itself: %w; its last lines:\n  %s", strings.Join(cmd.Args, " "), err, strings.Join(last, "\n  "))
	}
	return nil
}

// follow shows lines of a log until ctx ends, counts the errors, and returns the last
// lines.
func (p *program) follow(ctx context.Context, r io.Reader) (last []string) {
	const kept = 5
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := printable(lines.Text())
		last = append(last, line)
		last = last[max(0, len(last)-kept):]
		if p.failure.MatchString(line) {
			p.errors.Add(1)
		}
		if p.shown.MatchString(line) && ctx.Err() == nil {
			p.console.Line(line)
		}
	}
	_, _ = io.Copy(io.Discard, r) // a line over the limit must not block the child
	return last
}

// records reads lines of JSON, CEF or LEEF. Fluent Bit prints its banner to standard output too.
func records(r io.Reader, show func([]byte)) {
	lines := bufio.NewReaderSize(r, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if isRecord(line) {
			show(line)
		}
		if err != nil {
			return
		}
	}
}

func isRecord(line []byte) bool {
	return bytes.HasPrefix(line, []byte("{")) || bytes.HasPrefix(line, []byte("CEF:")) || bytes.HasPrefix(line, []byte("LEEF:"))
}
