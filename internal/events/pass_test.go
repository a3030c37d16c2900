package events

import (
	"testing"
	"time"
)

// An event may become visible up to overlap after its date. A stretch that was read too soon after
// its dates is read again, even if the pass took so long that a later stretch is complete.
func TestWatermarkPassesNoStretchThatWasReadTooSoon(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	const overlap = 6 * time.Second
	limit := func(asked time.Time) time.Time { return asked.Add(-overlap) }
	var p passed
	for _, c := range []struct{ done, asked, want int }{
		{5, 20, 5},   // old
		{17, 20, 14}, // an event of 16 may become visible until 22
		{18, 24, 14}, // and this later call did not look there
		{18, 30, 14},
	} {
		p = append(p, reading{at(c.done), at(c.asked)})
		if got := p.upTo(limit); !got.Equal(at(c.want)) {
			t.Errorf("read up to %d at %d: the watermark is %d, want %d", c.done, c.asked, got.Unix(), c.want)
		}
	}
	if later := p.upTo(func(time.Time) time.Time { return at(40) }); !later.Equal(at(18)) || len(p) > 0 {
		t.Errorf("once the clock is known to be later: %d, %d left", later.Unix(), len(p))
	}
}
