package sidecar

import (
	"strconv"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/source"
)

// spreadOf is what one of n sources gets.
func spreadOf(instance string, n int) *Feed {
	f := &Feed{Source: &source.Source{Settings: config.Settings{Instance: instance}}}
	f.Spread(n, n)
	return f
}

func TestSpread_OneAloneBeginsAtOnce(t *testing.T) {
	if f := spreadOf("one", 1); f.StartAfter != 0 || f.Phase != 0 {
		t.Errorf("%s, phase %v", f.StartAfter, f.Phase)
	}
	added := &Feed{Source: &source.Source{Settings: config.Settings{Instance: "added"}}}
	if added.Spread(10_000, 1); added.StartAfter != 0 || added.Phase == 0 {
		t.Errorf("one that is added to many waits for %s, phase %v", added.StartAfter, added.Phase)
	}
	if f := spreadOf("one", 10); f.StartAfter > 30*time.Millisecond {
		t.Errorf("one of ten waits for %s", f.StartAfter)
	}
}

func TestSpread_IsEvenAndStable(t *testing.T) {
	const n, parts = 10_000, 30
	var seconds [parts]int
	for i := range n {
		name := "tenant-" + strconv.Itoa(i) + ".zitadel.example.com"
		f := spreadOf(name, n)
		if f.StartAfter < 0 || f.StartAfter >= startWithin || f.Phase < 0 || f.Phase >= 1 {
			t.Fatalf("%s: %s, phase %v", name, f.StartAfter, f.Phase)
		}
		if again := spreadOf(name, n); again.Phase != f.Phase || again.StartAfter != f.StartAfter {
			t.Fatalf("%s moved", name)
		}
		seconds[int(f.StartAfter/time.Second)]++
	}
	for second, begun := range seconds {
		if begun < n/parts*7/10 || begun > n/parts*13/10 { // five standard deviations
			t.Errorf("%d sources begin in second %d, want about %d", begun, second, n/parts)
		}
	}
}
