package format_test

import (
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/enrich"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// The recorded events in each format, with names of earlier events and without.
func BenchmarkNames(b *testing.B) {
	events := recordedEvents(b)
	for _, name := range []string{"ecs", "ocsf", "cef", "leef"} {
		for _, enriched := range []bool{false, true} {
			label := name + "/without"
			if enriched {
				label = name + "/with"
			}
			b.Run(label, func(b *testing.B) {
				f, err := format.Open(config.FormatSettings{Format: name, Tier: "noise", OCSFVersion: config.OCSF18})
				if err != nil {
					b.Fatal(err)
				}
				if enriched {
					n, err := format.OpenNames("", enrich.Options{Instance: "demo", Log: silent})
					if err != nil {
						b.Fatal(err)
					}
					f.Remember(n)
				}
				encode := f.Msgpack()
				buf := make([]byte, 0, 1<<16)
				run := func(e *record.Event) { buf = encode(buf[:0], e) }
				for _, e := range events {
					run(e)
				}
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					run(events[i%len(events)])
					i++
				}
			})
		}
	}
}
