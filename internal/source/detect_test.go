package source

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/detect"
	"github.com/zitadel-siem/zitadel-siem/internal/pipe"
)

// TestLaw8APanicInARuleCostsNoRecord: the record that made it is encoded all the same, and the
// next one is evaluated.
func TestLaw8APanicInARuleCostsNoRecord(t *testing.T) {
	set, err := detect.Load(fstest.MapFS{"r.yml": {Data: []byte("title: T\nid: t\nlevel: high\nlogsource: {product: zitadel}\ndetection: {a: {event.action: x}, condition: a}\n")}})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	panics := 2
	d := newDetector(&Detection{Rules: set, Seen: func(*detect.Alert) {
		if panics--; panics >= 0 {
			panic("s3cr3t")
		}
	}}, slog.New(slog.NewTextHandler(&log, nil)))
	line := []byte(`{"@timestamp":"2026-01-01T00:00:00Z","event":{"id":"1","action":"x"}}`)
	r := &pipe.Heartbeat{}
	for range 3 {
		d.watch(r, line)
	}
	if n := len(d.derived(r)); n != 3 {
		t.Errorf("%d alerts", n)
	}
	if text := log.String(); strings.Count(text, "the record comes out") != 1 || strings.Contains(text, "s3cr3t") {
		t.Error(text)
	}
}

type committed struct{}

func (committed) Commit() error { return nil }

// TestACommitSettlesAlerts: it waits for no lock, because the host's thread calls it.
func TestACommitSettlesAlerts(t *testing.T) {
	d := &detector{}
	d.mu.Lock()
	defer d.mu.Unlock()
	at := time.Unix(1e9, 0)
	if err := (settling{committed{}, d, at}).Commit(); err != nil || d.settled.Load() != at.UnixNano() {
		t.Error(err, d.settled.Load())
	}
	if err := (settling{committed{}, d, time.Time{}}).Commit(); err != nil || d.settled.Load() != at.UnixNano() {
		t.Error("the whole log is settled")
	}
}
