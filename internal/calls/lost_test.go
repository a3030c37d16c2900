package calls_test

import (
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/calls"
)

// A webhook of which only the time is known may have been any call: where it may have been
// in flight, no event gets an address.
func TestLost_NoAddressWhereACallMayBeMissing(t *testing.T) {
	for _, c := range []struct {
		signed float64 // of the lost one; the event is of second 10
		want   calls.Verdict
	}{
		{10, calls.Unknown}, {22, calls.Unknown}, {-2, calls.Unknown}, // a response after 10 s, a request 10 s before
		{24, calls.Found}, {-6, calls.Found},
	} {
		now := noon.Add(-time.Hour)
		s := calls.New(func() time.Time { return now })
		now = at(11)
		s.Add(request("u", setMeta, a, 10))
		s.Add(response("u", setMeta, a, 10.1, 10))
		s.Lost(at(c.signed))
		if _, got := s.Find("u", "user.metadata.set", at(10), at(15)); got != c.want {
			t.Errorf("lost at %v: %v, want %v", c.signed, got, c.want)
		}
	}
}

// Spans that touch are one, so that a flood of lost webhooks needs no memory; and a span
// that is forgotten leaves no event that is older than it with an address.
func TestLost_IsBoundedAndForgottenOnlyWithTheCalls(t *testing.T) {
	now := noon.Add(-time.Hour)
	s := calls.New(func() time.Time { return now })
	now = noon
	for n := range 10_000 {
		s.Lost(at(float64(n%600) - 300)) // ZITADEL's clock may differ by five minutes
	}
	if n := s.LostSpans(); n != 1 {
		t.Errorf("%d spans", n)
	}
	for n := range 100 {
		now = noon.Add(time.Duration(n) * time.Minute)
		s.Lost(now)
	}
	if n := s.LostSpans(); n > 15 {
		t.Errorf("%d spans after an hour", n)
	}
	s.Add(request("u", setMeta, a, 3600))
	s.Add(response("u", setMeta, a, 3600.1, 3600))
	if _, got := s.Find("u", "user.metadata.set", at(3600), at(3700)); got != calls.Unknown {
		t.Error("an event of a forgotten span got an address")
	}
}
