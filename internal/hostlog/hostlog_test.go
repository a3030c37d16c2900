package hostlog

import (
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

func TestLog_LinesLookLikeFluentBits(t *testing.T) {
	w := &testkit.Text{}
	New("input", Host{Name: "zitadel.0", Level: slog.LevelInfo, Stderr: w}).Logger().With("instance", "prod").Info("reading starts", "since", 3*time.Second, "text", "a b")
	want := regexp.MustCompile(`^\[\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{9}\] \[ info\] \[input:zitadel:zitadel\.0\] reading starts instance=prod since=3s text="a b"\n$`)
	if !want.MatchString(w.String()) {
		t.Errorf("got %q", w)
	}
}

func TestLog_HonoursTheLevel(t *testing.T) {
	w := &testkit.Text{}
	log := New("output", Host{Name: "n", Level: slog.LevelWarn, Stderr: w}).Logger()
	log.Debug("no")
	log.Info("no")
	log.Warn("yes")
	log.Error("yes")
	if s := w.String(); strings.Contains(s, "no") || !strings.Contains(s, "[ warn]") || !strings.Contains(s, "[error]") {
		t.Errorf("got %q", s)
	}
}

func TestLog_NobodyCanFakeALine(t *testing.T) {
	w := &testkit.Text{}
	log := New("output", Host{Name: "n", Level: slog.LevelInfo, Stderr: w}).Logger()
	log.Info("answer", "body", "x\n[2026/01/01 00:00:00.000000000] [ info] [engine] all is well\x1b[2J")
	if s := w.String(); strings.Count(s, "\n") != 1 || strings.Contains(s, "\x1b") {
		t.Errorf("got %q", s)
	}
	log.Info(strings.Repeat("x", 100_000))
	if n := len(w.String()); n > 5000 {
		t.Errorf("%d bytes logged", n)
	}
}

func TestLog_HostPrintsOnItsOwnThread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &testkit.Text{}
		var got []string
		printer := func(level slog.Level, s string) { got = append(got, fmt.Sprint(level, " ", s)) }
		l := New("output", Host{Name: "n", Level: slog.LevelInfo, Print: printer, Stderr: w})
		l.Logger().Error("first\nsecond")
		l.Print()
		if w.String() != "" || len(got) != 2 || got[0] != "ERROR first" {
			t.Errorf("host got %q, stderr %q", got, w)
		}

		l.Logger().Info("nobody calls")
		time.Sleep(maxLineWait)
		synctest.Wait()
		if !strings.Contains(w.String(), "nobody calls") {
			t.Error("a paused host's user never hears")
		}

		for range maxLines + 10 {
			l.Logger().Info("flood")
		}
		got = nil
		l.Print()
		if len(got) != maxLines+1 || !strings.Contains(got[maxLines], "10 log lines were dropped") {
			t.Errorf("%d lines, last %q", len(got), got[len(got)-1])
		}

		l.Logger().Info("just before the end")
		l.Detach()
		l.Logger().Info("after the end")
		if s := w.String(); !strings.Contains(s, "just before") || !strings.Contains(s, "after the end") {
			t.Errorf("stderr %q", s)
		}
	})
}
