package page

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestTheJournalKeepsTheLastWarningsWithTheirFix(t *testing.T) {
	var j Journal
	var out bytes.Buffer
	log := j.Watch(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo})))
	log.Debug("too small for both")
	log.Info("fine")
	source := log.With("instance", "prod")
	source.Warn("zitadel does not answer", "error", errors.New("refused"), "wait", "1s", "fix", "start it")
	log.Error(strings.Repeat("é", 2*maxText))
	got := j.Last()
	if len(got) != 2 || strings.Count(out.String(), "\n") != 3 || !strings.Contains(out.String(), "instance=prod") {
		t.Fatalf("%d messages, log:\n%s", len(got), &out)
	}
	if m := got[1]; m.Instance != "prod" || m.Level != Warning || m.Text != "zitadel does not answer: refused wait=1s" || m.Fix != "start it" || m.At.IsZero() {
		t.Errorf("%+v", m)
	}
	if m := got[0]; m.Level != Failing || len([]rune(m.Text)) != maxText+1 {
		t.Errorf("%d runes", len([]rune(m.Text)))
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 100 {
				source.With("worker", i).Warn("again", "n", n)
				_ = j.Last()
			}
		})
	}
	all.Wait()
	if got := j.Last(); len(got) != kept || !strings.HasPrefix(got[0].Text, "again worker=") {
		t.Errorf("%d messages, %+v", len(got), got[0])
	}
}

// TestLaw7_NoNameOfAnAlertCanLookLikeAnotherText: users choose their names.
func TestLaw7_NoNameOfAnAlertCanLookLikeAnotherText(t *testing.T) {
	var a Alerts
	a.Add(Alert{Who: "eve\u202etoor\u2066 \u200bx\ny\u2028z\x1b[31m", Whom: "Zoë 李 \u05d0"})
	if got, want := a.Last()[0].Who, "eve\ufffdtoor\ufffd \ufffdx\ufffdy\ufffdz\ufffd[31m"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := a.Last()[0].Whom; got != "Zoë 李 \u05d0" {
		t.Errorf("%q", got)
	}
}

func TestAlertsKeepTheLast(t *testing.T) {
	var a Alerts
	for i := range 3 * kept {
		a.Add(Alert{Rule: fmt.Sprint(i, strings.Repeat("x", 1000))})
	}
	got := a.Last()
	if len(got) != kept || !strings.HasPrefix(got[0].Rule, "59x") || len([]rune(got[0].Rule)) != maxName+1 {
		t.Errorf("%d alerts, the first is %.10q", len(got), got[0].Rule)
	}
}

func TestTheHistoryIsTheLastQuarterOfAnHour(t *testing.T) {
	var h History
	if h.Rate() != 0 || h.Graph() != nil || h.Grew(time.Hour) != 0 {
		t.Error("a rate before the first sample")
	}
	at, total := time.Unix(1e9, 0), uint64(1000)
	add := func(n int, perSecond uint64) {
		for range n {
			at, total = at.Add(Interval), total+5*perSecond
			h.Add(at, total)
		}
	}
	add(2, 7)
	if got := h.Rate(); got != 7 {
		t.Errorf("rate %v after two samples", got)
	}
	add(500, 20)
	g := h.Graph()
	if h.RateText() != "20" || g == nil || g.Peak != "20" || g.Over != 15*time.Minute || strings.Count(g.Line, ",") != points {
		t.Fatalf("%s, %+v", h.RateText(), g)
	}
	add(12, 0)
	if got := h.Rate(); got != 0 {
		t.Errorf("rate %v after a minute of nothing", got)
	}
	if got := h.Grew(2 * time.Minute); got != 60*20 {
		t.Errorf("it grew by %d in two minutes", got)
	}
	if g := h.Graph(); !strings.HasPrefix(g.Line, "0.0,1.0 ") || !strings.HasSuffix(g.Line, "180.0,31.0") {
		t.Errorf("%+v", g)
	}
	if n := testing.AllocsPerRun(100, func() { h.Add(at, total) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
