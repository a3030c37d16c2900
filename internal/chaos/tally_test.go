package chaos

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"

	"github.com/tidwall/gjson"

	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
)

// tally counts what arrives at one far end, by event.id. A copy with the same
// event.read_at was read once and sent twice; one with another was read twice.
type tally struct {
	mu        sync.Mutex
	arrived   int
	reads     map[string][]string // event.id -> the read_at that came
	readAgain int
	sentAgain int
}

func newTally() *tally { return &tally{reads: map[string][]string{}} }

func (t *tally) take(id, readAt string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.arrived++
	known := t.reads[id]
	for _, at := range known {
		if at == readAt {
			t.sentAgain++
			return
		}
	}
	if len(known) > 0 {
		t.readAgain++
	}
	t.reads[id] = append(known, readAt)
}

func (t *tally) takeRecords(records []forwardtest.Record) {
	for _, rec := range records {
		event, _ := rec.Body["event"].(map[string]any)
		id, _ := event["id"].(string)
		at, _ := event["read_at"].(string)
		t.take(id, at)
	}
}

// distinct is how many different ids arrived.
func (t *tally) distinct() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.reads)
}

// compare returns the ids that are lost and those that nobody wrote.
func (t *tally) compare(truth map[string]committed) (lost, foreign []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id := range truth {
		if len(t.reads[id]) == 0 {
			lost = append(lost, id)
		}
	}
	for id := range t.reads {
		if _, ok := truth[id]; !ok {
			foreign = append(foreign, id)
		}
	}
	return lost, foreign
}

// follow is a file of JSON lines that is read as it grows.
type follow struct {
	path string
	at   int64
	rest []byte
}

// beginning of a record. A kill can cut a line that is being written; what is
// written after it begins on the same line.
var beginning = []byte(`{"event":{`)

// read gives all lines that are whole now to t.
func (f *follow) read(t *tally) error {
	file, err := os.Open(f.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	b, err := io.ReadAll(io.NewSectionReader(file, f.at, 1<<40))
	if err != nil {
		return err
	}
	f.at += int64(len(b))
	f.rest = append(f.rest, b...)
	for {
		end := bytes.IndexByte(f.rest, '\n')
		if end < 0 {
			return nil
		}
		line := f.rest[:end]
		f.rest = f.rest[end+1:]
		line = line[max(0, bytes.LastIndex(line, beginning)):]
		if !gjson.ValidBytes(line) {
			continue // cut by a kill: it comes again, or is lost, which is counted
		}
		event := gjson.GetManyBytes(line, "event.id", "event.read_at")
		t.take(event[0].String(), event[1].String())
	}
}
