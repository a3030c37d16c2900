package detect

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestLaw7AClockThatWasAheadMutesNoGroup: this machine and ZITADEL were a day ahead while an
// attack was counted and reported. The next attack has the right dates.
func TestLaw7AClockThatWasAheadMutesNoGroup(t *testing.T) {
	set := loaded(t, counted)
	path := t.TempDir() + "/state"
	var got []string
	e, s := listening(t, set, path, &got)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	for i := range 5 { // three make an alert
		e.Record(failedAt(fmt.Sprint("ahead", i), at(i).AddDate(0, 0, 1)), at(i).AddDate(0, 0, 1))
	}
	e.Record(failedAt("begun", at(0).Add(26*time.Hour)), at(0).Add(26*time.Hour))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	e, s = listening(t, set, path, &got)
	defer s.Close()
	for i := range 3 {
		e.Record(failedAt(fmt.Sprint("right", i), at(i)), at(i))
	}
	if want := []string{"[ahead0 ahead1 ahead2]", "[right0 right1 right2]"}; !slices.Equal(got, want) || !e.Newest().Equal(at(2)) {
		t.Errorf("%q, want %q; the newest is of %v", got, want, e.Newest())
	}
}

// TestADateThatHasNoNanosecondsIsOld: the nanoseconds of the year 1600 overflow to one of the
// year 2184, by which every group would be over.
func TestADateThatHasNoNanosecondsIsOld(t *testing.T) {
	set := loaded(t, counted)
	for _, year := range []int{1, 1600, 1969} {
		alerts := 0
		e := New(set, Options{Emit: func(*Alert) { alerts++ }})
		for i := range 3 {
			e.Record(failedAt(fmt.Sprint("old", i), time.Date(year, 1, 1, 0, 0, i, 0, time.UTC)), start)
		}
		if e.Newest().After(start) || alerts != 1 {
			t.Errorf("year %d: the newest is of %v, %d alerts", year, e.Newest(), alerts)
		}
	}
}

// TestMemoryOfSilencesIsBounded, too.
func TestMemoryOfSilencesIsBounded(t *testing.T) {
	set := loaded(t, silences)
	e := New(set, Options{MaxGroups: 100})
	for i := range 1000 {
		e.Record(beat(fmt.Sprint("i", i), 0), start)
	}
	if e.Stats.Groups > 100 || e.Stats.Evicted == 0 {
		t.Errorf("%+v", e.Stats)
	}
}

// TestUnsentAlertsAreBounded in memory and in the file, where nobody says that they are sent.
func TestUnsentAlertsAreBounded(t *testing.T) {
	set := loaded(t, silences)
	path := t.TempDir() + "/state"
	e, s := opened(t, set, path)
	for i := range 1000 {
		at := start.Add(time.Duration(i) * time.Hour)
		e.Record(fmt.Appendf(nil, `{"@timestamp":%q,"event":{"id":"%d","action":"beat"},"i":"a"}`, at.Format(time.RFC3339), i), at)
		e.Beside(func() { e.Tick(at.Add(11 * time.Minute)) })
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	e, s = opened(t, set, path)
	defer s.Close()
	n := 0
	e.o.Emit = func(a *Alert) { n++ }
	e.Resend(start)
	if n != maxUnsent || s.size > 300*maxUnsent {
		t.Errorf("%d alerts and %d bytes", n, s.size)
	}
}
