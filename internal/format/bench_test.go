package format_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/enrich"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// rounds are the recorded events, again and again, each round newer than the one before: in
// production an event comes once, so that three in ten of these have something to teach.
type rounds struct{ events []*record.Event }

func (r rounds) next() {
	for _, e := range r.events {
		e.Sequence += 1 << 16
		e.Time = e.Time.Add(24 * time.Hour)
	}
}

// A variant encodes one round.
type variant struct {
	name   string
	encode func(i int, e *record.Event)
	after  func() // of a round, not timed
}

// variants of a format: the records without names; the records with names, all of which are
// known beforehand; and the records with names that are learned and looked up.
func variants(b *testing.B, name string, events rounds) []variant {
	b.Helper()
	encoder := func() (*format.Format, *format.Encoder) {
		f, err := format.Open(config.FormatSettings{Format: name, Tier: "noise", OCSFVersion: config.OCSF18})
		if err != nil {
			b.Fatal(err)
		}
		return f, f.NewEncoder()
	}
	buf := make([]byte, 0, 1<<16)
	_, plain := encoder()
	_, same := encoder()
	f, full := encoder()
	names, err := format.OpenNames(filepath.Join(b.TempDir(), "names"), enrich.Options{Instance: "demo", Log: silent})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { names.Close() })
	f.Remember(names)
	for range 2 {
		for _, e := range events.events {
			buf = full.AppendMsgpack(buf[:0], e, 0, nil)
		}
		events.next()
	}
	var filled []format.Filled
	for _, e := range events.events {
		filled = append(filled, full.Filled(e))
	}
	sync := func() {
		if err := names.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	return []variant{
		{"without", func(_ int, e *record.Event) { buf = plain.AppendMsgpack(buf[:0], e, 0, nil) }, func() {}},
		{"same_fields", func(i int, e *record.Event) { buf = same.AppendFilled(buf[:0], e, &filled[i]) }, func() {}},
		{"with", func(_ int, e *record.Event) { buf = full.AppendMsgpack(buf[:0], e, 0, nil) }, sync},
	}
}

// What names cost a record: "with" minus "same_fields". Records with names are longer, and
// that they take longer to write is not the price of learning and looking up; "same_fields"
// writes the same records without a store.
//
// The three take turns. Each piece of a round is timed, and its tenth percentile over all
// rounds counts, so that a busy machine disturbs the result little. ns/op is of all three
// together. The time of the journal's fsync is not in it: it is once a batch, and records
// are encoded meanwhile.
func BenchmarkNames(b *testing.B) {
	const piece = 64
	events := rounds{recordedEvents(b)}
	for _, name := range []string{"ecs", "ocsf", "cef", "leef"} {
		b.Run(name, func(b *testing.B) {
			all := variants(b, name, events)
			var times [3][][]time.Duration
			for v := range times {
				times[v] = make([][]time.Duration, (len(events.events)+piece-1)/piece)
			}
			b.ReportAllocs()
			for b.Loop() {
				for v := range all {
					began := time.Now()
					for i, e := range events.events {
						all[v].encode(i, e)
						if i%piece == piece-1 || i == len(events.events)-1 {
							now := time.Now()
							times[v][i/piece] = append(times[v][i/piece], now.Sub(began))
							began = now
						}
					}
					all[v].after()
				}
				events.next()
			}
			var calm [3]float64
			for v := range all {
				for _, t := range times[v] {
					slices.Sort(t)
					calm[v] += float64(t[len(t)/10].Nanoseconds())
				}
				calm[v] /= float64(len(events.events))
				b.ReportMetric(calm[v], all[v].name+"-ns")
			}
			b.ReportMetric(calm[2]-calm[1], "names-ns")
		})
	}
}

// One variant of the above, for a profile.
func BenchmarkNamesOnly(b *testing.B) {
	events := rounds{recordedEvents(b)}
	for _, name := range []string{"ecs", "ocsf", "cef", "leef"} {
		for v, label := range []string{"without", "same_fields", "with"} {
			b.Run(name+"/"+label, func(b *testing.B) {
				one := variants(b, name, events)[v]
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					one.encode(i, events.events[i])
					if i++; i == len(events.events) {
						b.StopTimer()
						one.after()
						events.next()
						i = 0
						b.StartTimer()
					}
				}
			})
		}
	}
}
