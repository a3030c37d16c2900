package pipe

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/chunks"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// No tag gets more than the limit, however often the host refuses, and a refusal repeats no
// record.
func TestLimit_NoTagOfTheHostExceedsIt(t *testing.T) {
	for name, by := range map[string][]string{"the host's own": nil, "tag_by": {"user.added", "org.added"}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const most = 70
				l := eventLog{total: 5_000, batch: 600, padding: 100, types: by}
				r := start(t, l.from, &memory{}, func(o *Options) {
					o.Limit, o.BaseTag = chunks.Limit{Size: 1 << 20, Records: most}, "zitadel.events"
					o.Heartbeat = time.Second
				})
				defer r.stop()
				calls, held := 0, map[string]int{}
				var got []uint64
				for range 100 {
					synctest.Wait()
					r.Drain(func(tag string, data []byte, records int) bool {
						if calls++; calls%5 == 0 {
							return false
						}
						if data[0] == '{' {
							return true // a heartbeat
						}
						if base := "zitadel.events."; !strings.HasPrefix(tag, base) && by == nil {
							t.Fatalf("tag %q", tag)
						}
						held[tag] += records
						got = append(got, sequences(data)...)
						return true
					})
					time.Sleep(time.Second)
				}
				if by == nil {
					wantSequences(t, got, l.total)
				} else if len(got) != int(l.total) {
					t.Errorf("%d events", len(got))
				}
				for tag, n := range held {
					if n > most {
						t.Errorf("%s has %d records", tag, n)
					}
				}
				if r.cursor.events() != l.total {
					t.Errorf("cursor at %d", r.cursor.events())
				}
			})
		})
	}
}

// A heartbeat and alerts are records, too: they count in the chunk of their tag, alone or beside
// events, and one that exceeds the limit alone has a tag for itself.
func TestLimit_CountsWhatBelongsToNoStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 3
		l := eventLog{total: 50, batch: 7}
		r := start(t, l.from, &memory{}, func(o *Options) {
			o.Limit, o.BaseTag, o.Heartbeat = chunks.Limit{Records: most, Size: 600}, "zitadel", time.Second
			o.Tag = func(r record.Record) string {
				if r.EventType() == "alert" {
					return "zitadel.alert"
				}
				return ""
			}
			alert := func(record.Record) []record.Record { return []record.Record{&record.Event{Type: "alert"}} }
			o.Derived = alert
			o.Beside = func(time.Time) []record.Record { return alert(nil) }
			o.BesideEvery = time.Second
		})
		defer r.stop()
		held, large, beats, calls := map[string]int{}, map[string]int{}, 0, 0
		for range 60 {
			synctest.Wait()
			r.Drain(func(tag string, data []byte, records int) bool {
				if calls++; calls%7 == 0 {
					return false
				}
				held[tag] += records
				if data[0] == '{' { // a heartbeat is counted with six bytes for each byte, as it is no msgpack here
					beats++
					large[tag]++
				}
				return true
			})
			time.Sleep(time.Second)
		}
		alerts := 0
		for tag, n := range held {
			if n > most {
				t.Errorf("%s has %d records", tag, n)
			}
			if strings.HasPrefix(tag, "zitadel.alert.") {
				alerts += n
			} else if !strings.HasPrefix(tag, "zitadel.") {
				t.Errorf("tag %s", tag)
			}
			if large[tag] > 1 || large[tag] == 1 && n > 1 {
				t.Errorf("%s has a record that is larger than the limit, and others", tag)
			}
		}
		if alerts < int(l.total) || beats == 0 {
			t.Errorf("%d alerts, %d heartbeats", alerts, beats)
		}
		if r.cursor.events() != l.total {
			t.Errorf("cursor at %d", r.cursor.events())
		}
	})
}
