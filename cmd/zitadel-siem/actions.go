package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/sink"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// actionLog writes what a ZITADEL with login actions writes to standard error:
// recorded messages of ZITADEL's example script, passwords and forgeries
// included, and of our own.
type actionLog struct {
	file   *os.File
	ledger *ledger
	parser *parser.Parser
}

func newActionLog(path string, l *ledger) (*actionLog, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &actionLog{file: file, ledger: l, parser: parser.New(parser.Options{})}, nil
}

// run writes the lines of one login every interval until ctx ends. A line that
// could not be written is missing at the end, and told there.
func (a *actionLog) run(ctx context.Context, interval time.Duration) {
	messages := zitadeltest.ActionMessages()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for _, line := range zitadeltest.ActionRun(now, messages[i%len(messages)]) {
				a.write(line)
			}
		}
	}
}

func (a *actionLog) write(line string) {
	var r parser.Record
	a.parser.Parse([]byte(line), &r)
	a.ledger.add(r.ID(), r.Time)
	_, _ = a.file.WriteString(line + "\n")
}

// showLines is a sink of JSON lines that shows each.
type showLines func(line []byte)

func (show showLines) Send(_ context.Context, _ string, lines []byte, _ int) error {
	for line := range bytes.Lines(lines) {
		show(line)
	}
	return nil
}

func (showLines) Close() error { return nil }

// growing reads a file to which somebody else appends, until ctx ends.
type growing struct {
	ctx  context.Context
	file *os.File
}

func (g growing) Read(b []byte) (int, error) {
	for {
		n, err := g.file.Read(b)
		if n > 0 || !errors.Is(err, io.EOF) {
			return n, err
		}
		select {
		case <-g.ctx.Done():
			return 0, io.EOF
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// showActions parses the log at path as it grows.
func showActions(ctx context.Context, path string, show func([]byte)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	run := parseRun{parser: parser.New(parser.Options{}), out: &sink.Buffer{Sink: showLines(show), Encode: record.AppendLine}}
	return run.read(context.WithoutCancel(ctx), growing{ctx, file}, path)
}
