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
	var shapes []byte // every way that a record can go
	for _, body := range []map[string]any{
		{"log": "2026-11-22T09:25:08.298807575Z stderr P a"}, {"log": "2026-11-22T09:25:08.298807575Z stdout P a"}, {"nothing": "x"},
		{"source": "action_log", "trust": "full", "event": map[string]any{"id": "1/action_log/2/3"}},
	} {
		shapes = appendEvent(f, shapes, nil, body)
	}
	f.Add(append(shapes, 7))
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
		c, lines := flusher.Counts(), uint64(0)
		for _, n := range c.Kinds {
			lines += n
		}
		if c.Sent != uint64(sent) || c.Sent != lines || c.Records != c.Sent+c.Parts+c.NoLine+c.Odd+c.Loops {
			t.Fatalf("%d sent, counts %+v", sent, c)
		}
	})
}
