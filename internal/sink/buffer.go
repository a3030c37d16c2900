package sink

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// Buffer collects records for a sink. It is for one goroutine.
type Buffer struct {
	Sink   Sink
	Encode record.Encoder
	Tag    string
	Size   int // bytes of records in one message; a larger record has one of its own
	Log    *slog.Logger

	retry *Retry
	buf   []byte
	ends  []int // of the records in buf
}

// Add adds a record, and reports whether it comes out: the encoder may leave it out.
func (b *Buffer) Add(r record.Record) bool {
	before := len(b.buf)
	if b.buf = b.Encode(b.buf, r); len(b.buf) == before {
		return false
	}
	b.ends = append(b.ends, len(b.buf))
	return true
}

// Flush sends what was added, again and again until the sink has it or ctx ends.
// The attempt that is under way at the end of ctx is the last one; if there is
// none, one is made.
func (b *Buffer) Flush(ctx context.Context) error {
	sending, stop := Outlive(ctx)
	defer stop()
	from, first := 0, 0
	for i, end := range b.ends {
		last := i == len(b.ends)-1
		if !last && b.ends[i+1]-from <= b.Size {
			continue
		}
		switch err := b.send(ctx, sending, b.buf[from:end], i+1-first); {
		case IsFinal(err):
			return err
		case err != nil:
			// "At least": what the last read gave beside them is not parsed any more.
			return fmt.Errorf("at least %d records were read and not acknowledged: %w", len(b.ends)-first, err)
		}
		from, first = end, i+1
	}
	b.buf, b.ends = b.buf[:0], b.ends[:0]
	return nil
}

func (b *Buffer) send(ctx, sending context.Context, records []byte, n int) error {
	if b.retry == nil {
		b.retry = NewRetry(b.Log)
	}
	for {
		err := b.Sink.Send(sending, b.Tag, records, n)
		if err == nil {
			b.retry.Worked()
			return nil
		}
		if IsFinal(err) || ctx.Err() != nil || b.retry.Failed(ctx, err) != nil {
			return err
		}
	}
}
