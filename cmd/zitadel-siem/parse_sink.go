package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/forward"
	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

func newRecordSink(s config.OutputSettings, console *terminal.Console) (recordSink, error) {
	if s.Forward == (config.Forward{}) {
		return &jsonSink{w: os.Stdout}, nil
	}
	sender, err := forward.New(forward.OptionsOf(s))
	if err != nil {
		return nil, err
	}
	tag := s.Tag
	if tag == "" {
		tag = actionsTag
	}
	return &forwardSink{sender: sender, tag: tag, chunk: s.ChunkSize, console: console}, nil
}

// jsonSink writes JSON lines.
type jsonSink struct {
	w   io.Writer
	buf []byte
}

func (s *jsonSink) add(r *parser.Record) { s.buf = append(parser.AppendJSON(s.buf, r), '\n') }

func (s *jsonSink) flush(context.Context) error {
	if len(s.buf) == 0 {
		return nil
	}
	_, err := s.w.Write(s.buf)
	s.buf = s.buf[:0]
	if err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

// forwardSink sends to a Fluent Bit, again and again until it acknowledges.
type forwardSink struct {
	sender  *forward.Sender
	tag     string
	chunk   int
	console *terminal.Console

	buf  []byte
	ends []int // of the records in buf
}

func (s *forwardSink) add(r *parser.Record) {
	s.buf = parser.AppendMsgpack(s.buf, r, 0, nil)
	s.ends = append(s.ends, len(s.buf))
}

// flush sends what was added, in messages of about chunk bytes.
func (s *forwardSink) flush(ctx context.Context) error {
	from, first := 0, 0
	for i, end := range s.ends {
		last := i == len(s.ends)-1
		if !last && s.ends[i+1]-from <= s.chunk {
			continue
		}
		if err := s.send(ctx, s.buf[from:end], i+1-first); err != nil {
			// What the last read gave beside them is not parsed any more.
			return fmt.Errorf("at least %d records were read and not acknowledged: %w", len(s.ends)-first, err)
		}
		from, first = end, i+1
	}
	s.buf, s.ends = s.buf[:0], s.ends[:0]
	return nil
}

// lastTry is how long the other side has for its answer after Ctrl-C: less than a clean
// end may take.
const lastTry = endWithin / 2

// send tries until the other side has the records. At the end of ctx the try that is
// under way is the last one; where there is none, one is made.
func (s *forwardSink) send(ctx context.Context, entries []byte, n int) error {
	wait := backoff.NewExponentialBackOff()
	wait.MaxInterval = 30 * time.Second
	try, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastTry, cancel) })()
	var trouble error // the last one
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		trouble = s.sender.Send(try, s.tag, entries, n)
		return struct{}{}, trouble
	}, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, in time.Duration) {
		s.console.Warn(fmt.Sprintf("%v; again in %s", err, terminal.Roughly(in)))
	}))
	if err != nil {
		return trouble
	}
	return nil
}
