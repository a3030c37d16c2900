package sink

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/zitadel-siem/zitadel-siem/internal/chunks"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// Buffer collects records for a sink. It is for one goroutine.
type Buffer struct {
	Sink   Sink
	Encode record.Encoder
	Tag    string
	Size   int // bytes of records in one message; a larger record has one of its own
	// Limit bounds the chunks that the receiver makes of the records; see package chunks. The
	// records must then be Fluent Bit events.
	Limit chunks.Limit
	Log   *slog.Logger

	retry *Retry
	tags  *chunks.Tags
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
	for from, first := 0, 0; first < len(b.ends); {
		n, size := b.message(from, first)
		end := b.ends[first+n-1]
		switch err := b.send(ctx, sending, b.buf[from:end], n, size); {
		case IsFinal(err):
			return err
		case err != nil:
			// "At least": what the last read gave beside them is not parsed any more.
			return fmt.Errorf("at least %d records were read and not acknowledged: %w", len(b.ends)-first, err)
		}
		from, first = end, first+n
	}
	b.buf, b.ends = b.buf[:0], b.ends[:0]
	return nil
}

// message returns how many records the next message has, and their size as JSON if that is
// limited. It begins with the record first, at the byte from.
func (b *Buffer) message(from, first int) (n, size int) {
	begin := from
	for _, end := range b.ends[first:] {
		more := 0
		if b.Limit.Size > 0 {
			more = chunks.Size(b.buf[begin:end])
		}
		if n > 0 && (end-from > b.Size || b.Limit.Exceeded(size+more, n+1)) {
			break
		}
		n, size, begin = n+1, size+more, end
	}
	return n, size
}

func (b *Buffer) send(ctx, sending context.Context, records []byte, n, size int) error {
	if b.retry == nil {
		b.retry, b.tags = NewRetry(b.Log), chunks.NewTags(b.Limit)
	}
	for {
		err := b.Sink.Send(sending, b.tags.Tag(b.Tag, size, n), records, n)
		if err == nil {
			b.retry.Worked()
			return nil
		}
		if IsFinal(err) || ctx.Err() != nil || b.retry.Failed(ctx, err) != nil {
			return err
		}
	}
}
