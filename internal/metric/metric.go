// Package metric holds what a source and its pipe count: for /metrics, for the
// heartbeat and for the tables of the documentation.
package metric

import (
	"math"
	"time"
)

// Metric is one value. A counter only grows while the process runs.
type Metric struct {
	Name    string // in snake case; ends in _seconds if it is a time
	Help    string
	Counter bool
	Value   float64 // to the thousandth
}

// Snapshot is every metric of one source, as of a moment.
type Snapshot struct {
	At       time.Time
	Instance string
	List     []Metric
	Errors   map[string]uint64 // by kind: a gRPC code of ZITADEL, or "refused"
}

// Definition says how a metric is read from a T.
type Definition[T any] struct {
	Metric
	value func(T, time.Time) float64
}

// unknown is the value of a metric that is not known yet.
var unknown = math.NaN()

// Counter defines a counter.
func Counter[T any](name, help string, value func(T) uint64) Definition[T] {
	d := Gauge(name, help, value)
	d.Counter = true
	return d
}

// Gauge defines a value that may fall.
func Gauge[T any](name, help string, value func(T) uint64) Definition[T] {
	return Definition[T]{Metric{Name: name, Help: help}, func(t T, _ time.Time) float64 { return float64(value(t)) }}
}

// Age defines the seconds since a time. It is unknown while the time is zero.
func Age[T any](name, help string, since func(T) time.Time) Definition[T] {
	return Definition[T]{Metric{Name: name, Help: help}, func(t T, now time.Time) float64 {
		at := since(t)
		if at.IsZero() {
			return unknown
		}
		return math.Round(now.Sub(at).Seconds()*1e3) / 1e3
	}}
}

// Read appends the metrics of t to list. A metric that is not known yet, such as
// the lag before the first event, is left out.
func Read[T any](list []Metric, definitions []Definition[T], t T, now time.Time) []Metric {
	for _, d := range definitions {
		if v := d.value(t, now); !math.IsNaN(v) {
			d.Value = v
			list = append(list, d.Metric)
		}
	}
	return list
}

// Legend appends the metrics that are defined, without values.
func Legend[T any](list []Metric, definitions []Definition[T]) []Metric {
	for _, d := range definitions {
		list = append(list, d.Metric)
	}
	return list
}
