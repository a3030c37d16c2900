package page

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// Interval is that of the calls of [History.Add].
	Interval = 5 * time.Second
	// points are a quarter of an hour.
	points = 180
	// width and height are those of a graph, in its own units.
	width, height = 180, 32
	// shortest is how many steps a graph has at least: two minutes. A younger one
	// begins further to the right.
	shortest = 24
)

// History is how a counter grew in the last quarter of an hour. It takes 3 KiB once it is
// full, and its zero value is ready for use.
type History struct {
	mu      sync.Mutex
	began   time.Time // of the first sample
	n       int       // calls of Add
	samples []sample  // a ring once there are points + 1
	last    uint64    // the counter at the last Add
	before  uint64    // what it had reached each time it began again at zero
}

type sample struct {
	at    time.Duration // since began: a time.Time takes three times as much
	total uint64
}

// Add notes the counter. The oldest value is dropped when the ring is full. A lower value means
// that the counter began again, because another reader counts.
func (h *History) Add(at time.Time, total uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.n == 0 {
		h.began = at
	}
	if total < h.last {
		h.before += h.last
	}
	h.last = total
	s := sample{at.Sub(h.began), h.before + total}
	if len(h.samples) <= points {
		h.samples = append(h.samples, s)
	} else {
		h.samples[h.n%len(h.samples)] = s
	}
	h.n++
}

// list returns the samples, oldest first.
func (h *History) list() []sample {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []sample
	for i := max(0, h.n-len(h.samples)); i < h.n; i++ {
		list = append(list, h.samples[i%len(h.samples)])
	}
	return list
}

// Grew is how much the counter grew within the last d, or since the first sample.
func (h *History) Grew(d time.Duration) uint64 {
	grew, _ := grew(h.list(), d)
	return grew
}

func grew(list []sample, d time.Duration) (n uint64, in time.Duration) {
	if len(list) == 0 {
		return 0, 0
	}
	last := list[len(list)-1]
	for _, s := range list {
		if in = last.at - s.at; in <= d {
			return last.total - s.total, in
		}
	}
	return 0, 0
}

// Rate is the growth per second within the last minute.
func (h *History) Rate() float64 {
	n, in := grew(h.list(), time.Minute)
	return perSecond(n, in)
}

func perSecond(n uint64, in time.Duration) float64 { return float64(n) / max(in.Seconds(), 1e-3) }

// RateText is Rate with a precision that fits.
func (h *History) RateText() string { return rateText(h.Rate()) }

func rateText(rate float64) string {
	if rate > 0 && rate < 9.95 {
		return strconv.FormatFloat(rate, 'f', 1, 64)
	}
	return strconv.FormatFloat(rate, 'f', 0, 64)
}

// Graph is the rate over time as a line of an SVG of the size of ViewBox.
type Graph struct {
	ViewBox string
	Line    string // points of a polyline
	Area    string // points of a polygon: what is below the line
	Over    time.Duration
	Peak    string // records per second
}

// Graph draws the rates between the samples, the newest at the right. It is nil before
// there are two.
func (h *History) Graph() *Graph {
	list := h.list()
	if len(list) < 3 {
		return nil
	}
	rates, top := make([]float64, 0, points), 0.0
	for i := 1; i < len(list); i++ {
		rate := perSecond(list[i].total-list[i-1].total, list[i].at-list[i-1].at)
		rates, top = append(rates, rate), max(top, rate)
	}
	var line strings.Builder
	step := width / float64(max(len(rates)-1, shortest))
	left := width - step*float64(len(rates)-1)
	for i, rate := range rates {
		y := height - 1.0
		if top > 0 {
			y -= rate / top * (height - 2)
		}
		fmt.Fprintf(&line, "%.1f,%.1f ", left+step*float64(i), y)
	}
	return &Graph{
		ViewBox: fmt.Sprintf("0 0 %d %d", width, height),
		Line:    strings.TrimSpace(line.String()),
		Area:    fmt.Sprintf("%.1f,%d %s%d,%d", left, height, line.String(), width, height),
		Over:    list[len(list)-1].at - list[0].at,
		Peak:    rateText(top),
	}
}
