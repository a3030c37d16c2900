package terminal

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Progress is what a status line says.
type Progress struct {
	Events uint64        // read and written out
	Lag    time.Duration // how far the reading is behind now; negative: unknown
	Errors uint64        // failed calls, all of which are repeated, and what cannot be read
	Note   string
}

func (p Progress) line(rate float64) string {
	lag := "-"
	if p.Lag >= 0 {
		lag = Roughly(p.Lag)
	}
	s := fmt.Sprintf("read %s events  %s/s  lag %s  errors %s", Thousands(p.Events), Thousands(uint64(rate+0.5)), lag, Thousands(p.Errors))
	if p.Note != "" {
		s += "  " + p.Note
	}
	return s
}

// ShowStatus shows a status line every second until ctx ends.
func ShowStatus(ctx context.Context, console *Console, now func() Progress) {
	last, at := now().Events, time.Now()
	ShowEvery(ctx, console, time.Second, func(t time.Time) string {
		p := now()
		rate := float64(p.Events-last) / max(t.Sub(at).Seconds(), 1e-3)
		last, at = p.Events, t
		return p.line(rate)
	})
}

// ShowEvery shows a status line again and again until ctx ends.
func ShowEvery(ctx context.Context, console *Console, every time.Duration, line func(now time.Time) string) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			console.Show(line(now))
		}
	}
}

// Thousands writes 1234567 as 1,234,567.
func Thousands(n uint64) string {
	s := strconv.FormatUint(n, 10)
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// Roughly writes a duration with its two largest units.
func Roughly(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
