package output

import (
	"context"
	"log/slog"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// Whatever stands in a chunk, what goes out can be decoded, and every record that
// came in is counted once.
func FuzzFlush(f *testing.F) {
	f.Add(chunkOf(f, recorded(f, "001*.stderr")...))
	f.Add(chunkOf(f, "2026-11-22T09:25:08.298807575Z stderr P a", "2026-11-22T09:25:08.298807575Z stderr F b"))
	f.Add(appendEvent(f, nil, map[string]any{"a": "b"}, map[string]any{"log": "x", "form": map[string]any{"a": []any{"b", 1.5, nil}}, "event": "y"}))
	f.Fuzz(func(t *testing.T, chunk []byte) {
		sent := 0
		flusher := New(Options{
			LineKeys: []string{"log"}, Parser: parser.Options{Kinds: parser.AllKinds}, ChunkSize: 64 << 10, Log: slog.New(slog.DiscardHandler),
			Send: func(_ context.Context, _ string, entries []byte, n int) error {
				records, err := forwardtest.Decode(entries)
				if err != nil || len(records) != n {
					t.Fatalf("%d records of %d: %v", len(records), n, err)
				}
				sent += n
				return nil
			},
		})
		if flusher.Flush(t.Context(), "t", chunk) == Retry {
			t.Fatal("a panic")
		}
		c := flusher.Counts()
		if c.Sent != uint64(sent) || c.Records < c.Odd+c.NoLine+c.Loops || c.Sent > c.Records {
			t.Fatalf("%d sent, counts %+v", sent, c)
		}
	})
}
