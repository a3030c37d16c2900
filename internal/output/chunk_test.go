package output

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"
	"go.uber.org/goleak"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/forward"
	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/internal/hostlog"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var incoming = time.Unix(1_750_000_000, 123_000_000).UTC()

// eventTime8 encodes an EventTime.
func eventTime8(b []byte, s, ns uint32) []byte {
	b = append(b, 0xd7, 0)
	b = binary.BigEndian.AppendUint32(b, s)
	return binary.BigEndian.AppendUint32(b, ns)
}

// appendEvent encodes [[EventTime, metadata], body] as Fluent Bit does.
func appendEvent(t testing.TB, b []byte, metadata, body map[string]any) []byte {
	t.Helper()
	b = msgp.AppendArrayHeader(b, 2)
	b = msgp.AppendArrayHeader(b, 2)
	b = eventTime8(b, uint32(incoming.Unix()), uint32(incoming.Nanosecond()))
	if metadata == nil {
		metadata = map[string]any{}
	}
	return appendAny(t, appendAny(t, b, metadata), body)
}

func appendAny(t testing.TB, b []byte, v any) []byte {
	t.Helper()
	b, err := msgp.AppendIntf(b, v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// chunkOf encodes one event for each line, under the key log.
func chunkOf(t testing.TB, lines ...string) (b []byte) {
	for _, line := range lines {
		b = appendEvent(t, b, nil, map[string]any{"log": line, "stream": "stderr"})
	}
	return b
}

// recorded returns the lines of a file of the parser's test data.
func recorded(t testing.TB, name string) (lines []string) {
	t.Helper()
	paths, err := filepath.Glob("../../parser/testdata/recorded/" + name)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no %s: %v", name, err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(path) == ".gz" {
			r, err := gzip.NewReader(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			if b, err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
		for line := range bytes.Lines(b) {
			lines = append(lines, string(bytes.TrimRight(line, "\n")))
		}
	}
	return lines
}

// world is a flusher with a receiver.
type world struct {
	*Flusher
	*forwardtest.Server
	log *testkit.Text
}

func newWorld(t testing.TB, o forwardtest.Options, change func(*Options)) *world {
	t.Helper()
	return newWorldThatWaits(t, time.Minute, o, change) // far more than an ack takes on a busy machine
}

func newWorldThatWaits(t testing.TB, ack time.Duration, o forwardtest.Options, change func(*Options)) *world {
	t.Helper()
	w := &world{Server: forwardtest.Start(t, o), log: &testkit.Text{}}
	s, err := forward.New(config.OutputSettings{Forward: w.Forward(), AckTimeout: ack})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	opts := Options{
		LineKeys: []string{"log", "message"}, Parser: parser.Options{Kinds: parser.AllKinds}, ChunkSize: 1 << 20, Send: s.Send,
		Log: newLog(w.log),
	}
	if change != nil {
		change(&opts)
	}
	w.Flusher = New(opts)
	return w
}

func (w *world) flush(t *testing.T, want Result, chunk []byte) {
	t.Helper()
	if got := w.Flush(t.Context(), "kube.zitadel", chunk); got != want {
		t.Fatalf("got %v, want %v; log:\n%s", got, want, w.log)
	}
}

func newLog(w io.Writer) *slog.Logger {
	return hostlog.New("output", hostlog.Host{Name: "test", Level: slog.LevelDebug, Stderr: w}).Logger()
}
