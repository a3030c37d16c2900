package pipe

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidwall/gjson"

	"github.com/zitadel-siem/zitadel-siem/internal/metric"
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
