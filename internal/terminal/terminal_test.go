package terminal

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestThousandsAndRoughly(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := Thousands(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		1500 * time.Millisecond: "1.5s", 59 * time.Second: "59s", 61 * time.Second: "1m01s", 3*time.Hour + time.Minute: "3h01m", 72 * time.Hour: "3 days",
	} {
		if got := Roughly(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

func TestTheStatusLineStaysBelowOtherLines(t *testing.T) {
	var out strings.Builder
	c := New(&out, true)
	c.Show("read 1")
	c.Line("message")
	c.Show("read 2")
	c.Clear()
	if want := "read 1\r\x1b[K" + "message\n" + "read 1" + "\r\x1b[K" + "read 2\r\x1b[K"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

func TestLoggedTextCannotForgeALine(t *testing.T) {
	var out strings.Builder
	New(&out, false).Logger().With("a", "plain").Info("said", "b", "x\n12:00:00 error: forged\x1b[2J")
	if strings.Count(out.String(), "\n") != 1 || strings.Contains(out.String(), "\x1b") || !strings.Contains(out.String(), " info: said a=plain b=\"") {
		t.Errorf("%q", out.String())
	}
}

func TestInTheJournalEachLineHasItsLevelAndNoTime(t *testing.T) {
	var out strings.Builder
	c := New(&out, false)
	c.Journal = true
	c.Logger().Info("said", "a", 1)
	c.Logger().Warn("warned")
	c.Logger().Error("failed")
	c.Warn("old")
	c.Fail(errors.New("one\n  two"))
	if want := "<6>info: said a=1\n<4>warn: warned\n<3>error: failed\n<4>warning: old\n<3>zitadel-siem: one\n<3>  two\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
