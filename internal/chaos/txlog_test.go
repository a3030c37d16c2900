package chaos

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// instance is the label of every event.
const instance = "chaos"

// txLog is the server's database: a file with one line for each committed
// transaction. A line is written before the transaction can be seen, and
// write(2) outlives kill -9, so that the file is the truth. A line that a kill
// cut is a transaction that never was.
type txLog struct {
	mu   sync.Mutex
	file *os.File
	last map[string]uint64 // sequence by aggregate
	json map[*structpb.Struct][]byte
}

// transaction is one line.
type transaction struct {
	Created   time.Time     `json:"created"`
	Committed time.Time     `json:"committed"`
	Events    []loggedEvent `json:"events"`
}

type loggedEvent struct {
	zitadeltest.Event
	Payload json.RawMessage // instead of the Event's own
}

// id is the event.id that a record of e has.
func (e *loggedEvent) id() string {
	return record.Key{Instance: instance, AggregateType: e.AggregateType, AggregateID: e.AggregateID, Sequence: e.Sequence}.ID()
}

// openTxLog reads the log into a store, cuts off what a kill left of a line,
// and goes on behind it.
func openTxLog(path string, store *zitadeltest.Store) (*txLog, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	l := &txLog{file: f, last: map[string]uint64{}, json: map[*structpb.Struct][]byte{}}
	payloads := map[string]*structpb.Struct{} // most are alike
	whole, err := readTransactions(f, func(tx *transaction) error {
		events := make([]zitadeltest.Event, len(tx.Events))
		for i := range tx.Events {
			e := tx.Events[i].Event
			if text := string(tx.Events[i].Payload); text != "" && text != "null" {
				if payloads[text] == nil {
					payloads[text] = new(structpb.Struct)
					if err := payloads[text].UnmarshalJSON(tx.Events[i].Payload); err != nil {
						return err
					}
				}
				e.Payload = payloads[text]
			}
			l.count(&e)
			events[i] = e
		}
		store.Append(events...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(whole); err != nil {
		return nil, err
	}
	_, err = f.Seek(whole, io.SeekStart)
	return l, err
}

// readTransactions gives every whole line to take, and returns how many bytes
// they are.
func readTransactions(r io.Reader, take func(*transaction) error) (whole int64, err error) {
	lines := bufio.NewReaderSize(r, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return whole, nil
		}
		if err != nil {
			return whole, err
		}
		var tx transaction
		if err := json.Unmarshal(line, &tx); err != nil {
			return whole, fmt.Errorf("the log at byte %d: %w", whole, err)
		}
		if err := take(&tx); err != nil {
			return whole, err
		}
		whole += int64(len(line))
	}
}

func (l *txLog) count(e *zitadeltest.Event) {
	aggregate := e.AggregateType + "/" + e.AggregateID
	if e.Sequence == 0 {
		e.Sequence = l.last[aggregate] + 1
	}
	l.last[aggregate] = max(l.last[aggregate], e.Sequence)
}

// commit numbers the events, makes them durable and then visible. It reports
// false, and commits nothing, once the transaction is older than most: readers
// promise nothing for those.
func (l *txLog) commit(created time.Time, events []zitadeltest.Event, most time.Duration, visible func([]zitadeltest.Event)) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if now.Sub(created) > most {
		return false, nil
	}
	tx := transaction{Created: created, Committed: now, Events: make([]loggedEvent, len(events))}
	for i := range events {
		events[i].CreatedAt = created
		if !events[i].Position.IsZero() {
			events[i].Position = now
		}
		l.count(&events[i])
		tx.Events[i] = loggedEvent{Event: events[i]}
		if p := events[i].Payload; p != nil {
			if l.json[p] == nil {
				b, err := p.MarshalJSON()
				if err != nil {
					return false, err
				}
				l.json[p] = b
			}
			tx.Events[i].Payload = l.json[p]
		}
	}
	line, err := json.Marshal(tx)
	if err != nil {
		return false, err
	}
	if _, err := l.file.Write(append(line, '\n')); err != nil {
		return false, err
	}
	visible(events)
	return true, nil
}

// placeAtCommit gives events the place in the log that they have in releases of
// 2026-09: that of their commit.
func placeAtCommit(events []zitadeltest.Event) {
	for i := range events {
		events[i].Position = events[i].CreatedAt // not zero; commit sets it
	}
}

// committed is what the log says of one event.
type committed struct {
	created, committed time.Time
}

// readTruth returns every committed event by event.id.
func readTruth(path string) (map[string]committed, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	truth := map[string]committed{}
	_, err = readTransactions(f, func(tx *transaction) error {
		for i := range tx.Events {
			truth[tx.Events[i].id()] = committed{tx.Created, tx.Committed}
		}
		return nil
	})
	return truth, err
}
