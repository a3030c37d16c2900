package source

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/zitadel-siem/zitadel-siem/detections"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// BenchmarkRecount is what a change of hands costs: the recount of one hour of the log with the
// built-in rules, over a connection to a test server.
func BenchmarkRecount(b *testing.B) {
	for _, bench := range []struct {
		name   string
		events int
	}{{"quiet", 0}, {"1h-10-per-second", 36_000}, {"1h-100-per-second", 360_000}} {
		b.Run(bench.name, func(b *testing.B) {
			requests := 0
			store := zitadeltest.NewStore()
			srv := zitadeltest.NewServer(store, zitadeltest.Options{})
			srv.SetFaults(zitadeltest.Faults{BeforeQuery: func(context.Context, string, proto.Message) error { requests++; return nil }})
			if err := srv.Start("127.0.0.1:0"); err != nil {
				b.Fatal(err)
			}
			defer srv.Close()
			now := time.Now()
			if bench.events > 0 {
				store.Fill(zitadeltest.Synthetic{Events: bench.events, From: now.Add(-time.Hour), Every: time.Hour / time.Duration(bench.events)})
			}
			settings, _, err := config.Input.ParseMap(map[string]string{"url": srv.URL(), "token": srv.Token(), "instance": "lab", "format": "ecs", "enrich": "off"}, config.ParseOptions{})
			if err != nil {
				b.Fatal(err)
			}
			rules, err := detections.Rules()
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				state := cursor.State{Version: cursor.Version, Instance: "lab", Watermark: now, Updated: now}
				s, err := Open(b.Context(), settings, Options{Log: slog.New(slog.DiscardHandler), Detect: &Detection{Rules: rules}, Held: hold{}, State: state})
				if err != nil {
					b.Fatal(err)
				}
				if err := s.recount(b.Context(), time.Now()); err != nil {
					b.Fatal(err)
				}
				if n := s.detector.stats().Records; n != uint64(bench.events) {
					b.Errorf("%d events counted", n)
				}
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(requests)/float64(b.N), "requests/op")
		})
	}
}
