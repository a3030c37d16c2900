package source

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/detections"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/detect"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/metric"
	"github.com/zitadel-siem/zitadel-siem/internal/pipe"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

func builtIn(t *testing.T) *detect.Set {
	t.Helper()
	set, err := detections.Rules()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// watched is a source in short: a detector with the built-in rules, and heartbeats that
// only they see.
type watched struct {
	*detector
	answered, read time.Time // when ZITADEL last answered, and up to when all is read
	encode         record.Encoder
	given          []record.Record
	ids            []string // of given
}

func newWatched(t *testing.T, state string) *watched {
	t.Helper()
	w := &watched{detector: newDetector(&Detection{Rules: builtIn(t)}, slog.New(slog.DiscardHandler)), answered: time.Now(), read: time.Now()}
	if err := w.open(state, time.Time{}); err != nil {
		t.Fatal(err)
	}
	f, err := format.Open(config.FormatSettings{Format: "raw", Tier: "noise"})
	if err != nil {
		t.Fatal(err)
	}
	f.Watch(w.watch)
	w.encode = f.Lines()
	return w
}

func (w *watched) beat() {
	began := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // synctest's
	age := func(name string, since time.Time) metric.Metric {
		return metric.Metric{Name: name, Value: time.Since(since).Seconds()}
	}
	list := []metric.Metric{age("lag_seconds", began.Add(-24*time.Hour))} // nothing happens
	if !w.answered.IsZero() {
		list = append(list, age("read_up_to_age_seconds", w.read), age("last_success_age_seconds", w.answered))
	}
	w.encode(nil, &pipe.Heartbeat{Snapshot: metric.Snapshot{At: time.Now(), Instance: "lab", List: list}})
}

// pass lets minutes pass, and returns the alerts. ZITADEL answers in between, or does not.
func (w *watched) pass(minutes int, answers bool) (titles []string) {
	for range minutes * int(time.Minute/watchEvery) {
		time.Sleep(watchEvery)
		if answers {
			w.answered, w.read = time.Now(), time.Now()
		}
		for _, r := range w.beside(time.Now(), w.beat) {
			titles = append(titles, r.(*detect.Alert).Rule.Name)
			w.given, w.ids = append(w.given, r), append(w.ids, r.ID())
		}
	}
	return titles
}

// silence lets ZITADEL answer for a minute and then no more, and returns the ids of both alerts.
func (w *watched) silence(t *testing.T) (ids []string) {
	t.Helper()
	w.pass(1, true)
	if got := strings.Join(w.pass(30, false), " "); got != "reader_lag audit_silence" {
		t.Fatalf("%q", got)
	}
	return slices.Clone(w.ids)
}

// TestSilence_AReaderSaysThatZITADELDoesNotAnswer: in the reader's own process, by the same
// rules, and also without the setting heartbeat. A quiet ZITADEL that answers is no silence.
func TestSilence_AReaderSaysThatZITADELDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, filepath.Join(t.TempDir(), "state"))
		defer w.close()
		if got := w.pass(60, true); len(got) > 0 {
			t.Fatalf("while ZITADEL answers: %q", got)
		}
		got := strings.Join(w.pass(19, false), " ")
		if got != "reader_lag" {
			t.Errorf("after 19 minutes without an answer: %q", got)
		}
		if got := strings.Join(w.pass(40, false), " "); got != "audit_silence" {
			t.Errorf("after an hour: %q, want one alert for all of it", got)
		}
		if got := w.pass(60, true); len(got) > 0 {
			t.Errorf("ZITADEL is back: %q", got)
		}
	})
}

// TestLaw2_AnAlertBesideComesAgainUntilTheSinkHasIt: with the same id, after every restart, also
// if ZITADEL answers by then. Once the sink has it, a silence that goes on is not reported again.
func TestLaw2_AnAlertBesideComesAgainUntilTheSinkHasIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state")
		w := newWatched(t, path)
		ids := w.silence(t) // and nothing takes them
		for _, answers := range []bool{true, false} {
			if err := w.close(); err != nil {
				t.Fatal(err)
			}
			w = newWatched(t, path)
			if got := strings.Join(w.pass(1, answers), " "); got != "reader_lag audit_silence" || !slices.Equal(w.ids, ids) {
				t.Errorf("ZITADEL answers %v: %q, %q, want %q again", answers, got, w.ids, ids)
			}
		}
		for _, r := range w.given {
			w.besideTaken(r)
		}
		if err := w.close(); err != nil {
			t.Fatal(err)
		}
		w = newWatched(t, path)
		defer w.close()
		if got := w.pass(5, true); len(got) > 0 {
			t.Errorf("the sink has them: %q", got)
		}
	})
}

// TestLaw2_AnAlertBesideSurvivesAKill: it is on disk before the pipe gets it.
func TestLaw2_AnAlertBesideSurvivesAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state")
		w := newWatched(t, path)
		ids := w.silence(t)
		if err := w.state.Abandon(); err != nil { // as a kill does
			t.Fatal(err)
		}
		w = newWatched(t, path)
		defer w.close()
		if w.pass(1, true); !slices.Equal(w.ids, ids) {
			t.Errorf("%q, want %q", w.ids, ids)
		}
	})
}

// TestLaw7_AnEventThatLooksLikeAHeartbeatIsNone: users can have an id of their choice, which is
// a part of event.id. The count of such a user outlives a restart, as that of any other.
func TestLaw7_AnEventThatLooksLikeAHeartbeatIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state")
		fail := func(w *watched, from, to int) (ids []string) {
			for i := from; i < to; i++ {
				r := &record.Event{Key: record.Key{Instance: "lab", AggregateType: "user", AggregateID: "heartbeat", Sequence: uint64(i)}, Type: "user.human.password.check.failed", Time: time.Now(), Read: time.Now()}
				w.encode(nil, r)
				for _, a := range w.derived(r) {
					ids = append(ids, a.ID())
				}
			}
			return ids
		}
		w := newWatched(t, path)
		first := fail(w, 0, 10)
		if len(first) != 1 {
			t.Fatalf("%d alerts", len(first))
		}
		if err := w.close(); err != nil {
			t.Fatal(err)
		}
		w = newWatched(t, path)
		defer w.close()
		if again := fail(w, 9, 10); !slices.Equal(again, first) {
			t.Errorf("its last event is read again: %q, want %q", again, first)
		}
	})
}

// TestSilence_AClockThatIsSetBackIsNone, and a real silence is seen after it, or from then on.
func TestSilence_AClockThatIsSetBackIsNone(t *testing.T) {
	for _, answers := range []int{0, 60} {
		synctest.Test(t, func(t *testing.T) {
			w := newWatched(t, "")
			ahead := time.Now().AddDate(0, 0, 1)
			w.engine.Record(beatOfLab(ahead), ahead)
			if answers == 0 {
				w.answered = w.answered.Add(-time.Hour) // not even one
			}
			if got := w.pass(answers, true); len(got) > 0 {
				t.Errorf("while ZITADEL answers: %q", got)
			}
			if got := strings.Join(w.pass(60, false), " "); got != "reader_lag audit_silence" {
				t.Errorf("after an hour without an answer: %q", got)
			}
		})
	}
}

func beatOfLab(at time.Time) []byte {
	return fmt.Appendf(nil, `{"@timestamp":%q,"event":{"id":"lab/heartbeat/1","action":"heartbeat"},"zitadel":{"instance":"lab","heartbeat":{"last_success_age_seconds":1}}}`, at.Format(time.RFC3339))
}

// TestSilence_ASuspendedMachineHeardNothing: its clock goes on, and ZITADEL is not to blame.
func TestSilence_ASuspendedMachineHeardNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, "")
		w.pass(5, true)
		time.Sleep(8 * time.Hour)
		if got := w.pass(5, true); len(got) > 0 {
			t.Errorf("%q", got)
		}
	})
}

// TestSilence_HeartbeatsForRulesDoNotComeOut: a source without the setting heartbeat makes
// them for its rules alone, and so does one with a long interval, which would look silent.
func TestSilence_HeartbeatsForRulesDoNotComeOut(t *testing.T) {
	for _, heartbeat := range []string{"0s", "1m", "1h"} {
		t.Run(heartbeat, func(t *testing.T) {
			server := zitadeltest.NewServer(zitadeltest.NewStore(), zitadeltest.Options{})
			if err := server.Start("127.0.0.1:0"); err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			settings, _, err := config.Input.ParseMap(map[string]string{"url": server.URL(), "token": server.Token(), "instance": "lab", "heartbeat": heartbeat}, config.ParseOptions{})
			if err != nil {
				t.Fatal(err)
			}
			s, err := Open(t.Context(), settings, Options{Log: slog.New(slog.DiscardHandler), Detect: &Detection{Rules: builtIn(t)}})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			o := s.watched(pipe.Options{Encode: record.AppendMsgpack})
			if list := o.Beside(time.Now()); len(list) > 0 {
				t.Errorf("%d records", len(list))
			}
			if got, want := s.detector.stats().Records, map[string]uint64{"0s": 1, "1m": 0, "1h": 1}[heartbeat]; got != want {
				t.Errorf("rules saw %d heartbeats, want %d", got, want)
			}
		})
	}
}

// TestAPanicInARuleIsCounted: also one of a silence.
func TestAPanicInARuleIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		d := newDetector(&Detection{Rules: builtIn(t), Seen: func(*detect.Alert) { panic("a bug") }}, slog.New(slog.NewTextHandler(&log, nil)))
		d.watch(&pipe.Heartbeat{}, beatOfLab(time.Now()))
		for range 20 {
			time.Sleep(time.Minute)
			d.beside(time.Now(), nil)
		}
		if d.stats().Failed != 1 || strings.Count(log.String(), "rules failed") != 1 {
			t.Errorf("%d panics, %s", d.stats().Failed, &log)
		}
	})
}

// TestLaw6_AlertsSayWhoAsTheRecordsDo: with pseudonyms, neither a name nor an address that an
// event has reaches the status page.
func TestLaw6_AlertsSayWhoAsTheRecordsDo(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(strings.Repeat("0123456789abcdef", 4)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, pseudonyms := range []bool{false, true} {
		f, err := format.Open(config.FormatSettings{Format: "ecs", Tier: "noise", Pseudonyms: pseudonyms, PseudonymsKeyFile: key})
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		d := newDetector(&Detection{Rules: builtIn(t), Seen: func(a *detect.Alert) {
			who, whom, from := a.Who()
			said = append(said, who, whom, from)
		}}, slog.New(slog.DiscardHandler))
		f.Watch(d.watch)
		payload, err := structpb.NewStruct(map[string]any{"userId": "2", "roles": []any{"IAM_OWNER"}, "remoteIP": "203.0.113.7"})
		if err != nil {
			t.Fatal(err)
		}
		f.Lines()(nil, &record.Event{
			Key: record.Key{Instance: "lab", AggregateType: "instance", AggregateID: "1", Sequence: 1}, Type: "instance.member.added", Time: time.Now(), Read: time.Now(),
			Editor: record.Editor{ID: "1", Name: "Alice Clear", Service: "Admin-API"}, Payload: payload,
		})
		text := strings.Join(said, " ")
		if clear := strings.Contains(text, "Alice Clear"); len(said) == 0 || clear == pseudonyms {
			t.Errorf("pseudonyms %v: %q", pseudonyms, text)
		}
	}
}
