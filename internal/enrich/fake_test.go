package enrich

import (
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	corpus "github.com/zitadel-siem/zitadel-siem/internal/testkit/recorded"
)

const instance = "demo"

var start = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// after is a moment so many seconds after the start.
func after(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

type event = record.Event

// what makes an event of an aggregate of organisation "org".
func what(eventType, aggregateType, id string, sequence uint64, at time.Time, payload map[string]any) *event {
	e := &event{
		Key:  record.Key{Instance: instance, AggregateType: aggregateType, AggregateID: id, Sequence: sequence},
		Type: eventType, Time: at, ResourceOwner: "900712317102263334",
	}
	if payload != nil {
		p, err := structpb.NewStruct(payload)
		if err != nil {
			panic(err)
		}
		e.Payload = p
	}
	return e
}

func human(id string, sequence uint64, at time.Time, name, email, display string) *event {
	return what("user.human.added", "user", id, sequence, at, map[string]any{"userName": name, "email": email, "displayName": display})
}

// recorded returns the events of a real ZITADEL, redacted, oldest first.
func recorded() []*event { return corpus.Records(start) }

func open(tb testing.TB, path string, o Options) *Store {
	tb.Helper()
	o.Instance = instance
	s, err := Open(path, o)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// fresh opens a new store that the test closes.
func fresh(tb testing.TB, o Options) *Store {
	tb.Helper()
	s := open(tb, filepath.Join(tb.TempDir(), "names"), o)
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func mustSync(tb testing.TB, s *Store) {
	tb.Helper()
	if err := s.Sync(); err != nil {
		tb.Fatal(err)
	}
}
