package pipe

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/chunks"
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
