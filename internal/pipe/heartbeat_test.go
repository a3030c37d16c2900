package pipe

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidwall/gjson"

	"github.com/zitadel-siem/zitadel-siem/internal/metric"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// beating makes a pipe give a heartbeat every 10 s, as one line of JSON.
func beating(o *Options) {
	o.Heartbeat = 10 * time.Second
	o.Instance = "i"
}

func TestHeartbeat_ComesWhileNothingElseDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, eventLog{}.from, &memory{}, beating, tagByType, func(o *Options) {
			o.Metrics = func(s *metric.Snapshot) {
				s.List = append(s.List, metric.Metric{Name: "holes_found", Value: 3})
				s.Errors["Unavailable"] = 2
			}
		})
		defer r.stop()
		var beats []gjson.Result
		var tags []string
		for range 35 {
			synctest.Wait()
			r.Drain(func(tag string, data []byte, n int) bool {
				if n != 1 {
					t.Errorf("%d records", n)
				}
				beats, tags = append(beats, gjson.ParseBytes(slices.Clone(data))), append(tags, tag)
				return true
			})
			time.Sleep(time.Second)
		}
		if len(beats) != 3 || !slices.Equal(tags, []string{"zitadel.heartbeat", "zitadel.heartbeat", "zitadel.heartbeat"}) {
			t.Fatalf("%d heartbeats in 35 s, with tags %v", len(beats), tags)
		}
		b := beats[2]
		if b.Get("event.type").Str != "heartbeat" || b.Get("instance").Str != "i" || b.Get("source").Str != "zitadel_siem" ||
			b.Get("event.id").Str != "i/heartbeat/946684830000000" || b.Get("event.time").Str != "2000-01-01T00:00:30.000000Z" ||
			b.Get("heartbeat.holes_found").Num != 3 || b.Get("heartbeat.events").Raw != "0" || b.Get("heartbeat.errors").Raw != `{"Unavailable":2}` || b.Get("heartbeat.lag_seconds").Exists() {
			t.Error(b)
		}
	})
}

func TestHeartbeat_OldOnesDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		l := eventLog{total: 5, batch: 5}
		r := start(t, l.from, m, beating)
		defer r.stop()
		h := &host{refuse: func() bool { return true }}
		for range 100 {
			synctest.Wait()
			r.Drain(h.add)
			time.Sleep(time.Second)
		}
		var chunks []string
		synctest.Wait()
		r.Drain(func(_ string, data []byte, _ int) bool { chunks = append(chunks, string(data)); return true })
		if len(chunks) != 2 || gjson.Get(chunks[0], "event.time").Str != "2000-01-01T00:01:40.000000Z" || m.events() != 5 {
			t.Errorf("%d chunks after a long refusal: %q", len(chunks), chunks)
		}
	})
}

func TestHeartbeat_ReachesAHostThatTakesBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, eventLog{}.from, &memory{}, beating)
		defer r.stop()
		time.Sleep(11 * time.Second)
		synctest.Wait()
		data := r.Next()
		if gjson.GetBytes(data, "event.type").Str != "heartbeat" {
			t.Errorf("%q", data)
		}
		r.Done()
		if data := r.Next(); data != nil {
			t.Errorf("and again: %q", data)
		}
	})
}

// TestHeartbeat_WhatDerivesFromItIsNotReplaced: an alert of a heartbeat comes out although the
// host took nothing while the next heartbeats came, and comes once.
func TestHeartbeat_WhatDerivesFromItIsNotReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beats := 0
		derived := func(record.Record) []record.Record {
			beats++
			return []record.Record{&record.Event{Key: record.Key{Sequence: uint64(100 + beats)}}}
		}
		r := start(t, eventLog{}.from, &memory{}, beating, func(o *Options) {
			o.Derived = derived
			o.Beside, o.BesideEvery = func(now time.Time) []record.Record {
				return []record.Record{&record.Event{Key: record.Key{Sequence: uint64(now.Unix() % 1000)}}}
			}, 25*time.Second
		})
		defer r.stop()
		time.Sleep(51 * time.Second)
		synctest.Wait()
		var got []string
		refused := 0
		add := func(_ string, data []byte, _ int) bool {
			if refused++; refused%2 == 1 { // in the middle
				return false
			}
			got = append(got, string(bytes.TrimSpace(data)))
			return true
		}
		for range 20 {
			r.Drain(add)
		}
		if len(got) != 8 || gjson.Get(got[0], "event.time").Str != "2000-01-01T00:00:50.000000Z" {
			t.Fatalf("%q", got)
		}
		if rest := got[1:]; !slices.Equal(rest, []string{"101", "102", "825", "103", "104", "105", "850"}) && !slices.Equal(rest, []string{"101", "102", "825", "103", "104", "850", "105"}) {
			t.Errorf("%q", rest)
		}
	})
}

// TestHeartbeat_WhatTheHostHasOfBesideIsSaid: once, and not before the host has it; neither of
// heartbeats nor of records of a batch.
func TestHeartbeat_WhatTheHostHasOfBesideIsSaid(t *testing.T) {
	for _, bytesOnly := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var taken []string
			l := eventLog{total: 5, batch: 5}
			r := start(t, l.from, &memory{}, beating, func(o *Options) {
				o.Beside, o.BesideEvery = func(now time.Time) []record.Record {
					return []record.Record{&record.Event{Key: record.Key{Instance: "b", Sequence: uint64(now.Unix() % 1000)}}}
				}, 15*time.Second
				o.BesideTaken = func(r record.Record) { taken = append(taken, r.ID()) }
			})
			defer r.stop()
			time.Sleep(31 * time.Second)
			synctest.Wait()
			if bytesOnly {
				r.Next()
			} else {
				r.Drain(func(string, []byte, int) bool { return false })
			}
			if len(taken) > 0 {
				t.Errorf("%q before the host has them", taken)
			}
			for range 3 {
				if bytesOnly {
					r.Next()
					r.Done()
				} else {
					r.Drain(func(string, []byte, int) bool { return true })
				}
			}
			if len(taken) != 2 || !strings.HasSuffix(taken[0], "815") || !strings.HasSuffix(taken[1], "830") {
				t.Errorf("%q", taken)
			}
		})
	}
}

func TestHeartbeat_WhatDerivesFromThemIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, eventLog{}.from, &memory{}, func(o *Options) {
			o.Beside, o.BesideEvery = func(time.Time) []record.Record { return []record.Record{&record.Event{}} }, time.Second
		})
		defer r.stop()
		time.Sleep(1000*time.Second + time.Millisecond)
		synctest.Wait()
		n := 0
		r.Drain(func(string, []byte, int) bool { n++; return true })
		if dropped := r.Stats.BesideDropped.Load(); n != maxBeside || dropped != 1000-maxBeside {
			t.Errorf("%d came, %d dropped", n, dropped)
		}
	})
}
