package events

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"testing"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact/payload"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

var benchSettings = config.Settings{
	Instance: "bench", Start: config.Start{Beginning: true}, PollInterval: time.Second,
	Settle: 2 * time.Second, Overlap: 10 * time.Second, PageSize: 1000,
}

// filled returns a store of n synthetic events, a transaction of three every
// two seconds up to the epoch, and the date behind its last one.
func filled(n int) (*zitadeltest.Store, time.Time) {
	const every, size = 2 * time.Second, 3
	store := zitadeltest.NewStore()
	store.Fill(zitadeltest.Synthetic{Events: n, From: epoch.Add(-time.Duration(n/size+1) * every), Every: every, PerTransaction: size})
	return store, epoch
}

// Reading over gRPC: the reader beside a loop that only asks and throws the
// answers away. "rows" are what ZITADEL's database reads for an event. The
// loop's cursor is the usual one, `from` the last date: it loses events that
// share it, and it is the reader's yardstick only for speed.
func BenchmarkBackfill(b *testing.B) {
	const n = 100_000
	store, end := filled(n)
	server := zitadeltest.NewServer(store, zitadeltest.Options{})
	if err := server.Start("127.0.0.1:0"); err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	client := benchClient(b, server)
	for _, speed := range []struct {
		name     string
		perEvent time.Duration
	}{
		// A real ZITADEL on two cores gave 11,000 to 19,000 events/s; what its
		// database does for a wide range comes on top, and is left out here.
		{"server of 20,000 events per s", 50 * time.Microsecond},
		// The fake server itself, on the cores of the reader.
		{"server without cost", 0},
	} {
		server.Update(func(f *zitadeltest.Faults) { f.BeforeAnswer = takes(speed.perEvent) })
		b.Run(speed.name, func(b *testing.B) {
			b.Run("bare ListEvents loop", func(b *testing.B) {
				measure(b, server, n, func() int { return bareLoop(b, client) })
			})
			b.Run("reader", func(b *testing.B) {
				measure(b, server, n, func() int {
					return readAll(b, client, end, func(context.Context, Batch) error { return nil })
				})
			})
			b.Run("reader, redaction and msgpack", func(b *testing.B) {
				batches := make(chan Batch, 1)
				go encodeAll(batches)
				defer close(batches)
				measure(b, server, n, func() int {
					return readAll(b, client, end, func(_ context.Context, batch Batch) error { batches <- batch; return nil })
				})
			})
		})
	}
}

// takes makes the server slower by a time for every event that it answers.
func takes(perEvent time.Duration) func(context.Context, string, proto.Message, proto.Message) error {
	if perEvent == 0 {
		return nil
	}
	return func(_ context.Context, _ string, _, resp proto.Message) error {
		if page, ok := resp.(*adminpb.ListEventsResponse); ok {
			time.Sleep(perEvent * time.Duration(len(page.GetEvents())))
		}
		return nil
	}
}

// encodeAll does what stands between the reader and Fluent Bit.
func encodeAll(batches <-chan Batch) {
	var buf []byte
	for batch := range batches {
		buf = buf[:0]
		for _, r := range batch.Records {
			payload.Record(r.(*record.Event))
			buf = record.AppendMsgpack(buf, r)
		}
	}
}

// The same cost for every event, however many there are (law 4). In process:
// only rows and calls count here.
func BenchmarkCost(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprint(n, " events in the store"), func(b *testing.B) {
			store, end := filled(n)
			server := zitadeltest.NewServer(store, zitadeltest.Options{})
			measure(b, server, n, func() int {
				return readAll(b, server.Direct(), end, func(context.Context, Batch) error { return nil })
			})
		})
	}
}

func benchClient(b *testing.B, server *zitadeltest.Server) *zitadel.Client {
	b.Helper()
	u, err := url.Parse(server.URL())
	if err != nil {
		b.Fatal(err)
	}
	client, err := zitadel.New(context.Background(), config.Settings{URL: u, Transport: zitadel.TransportGRPC, Token: config.Secret(server.Token()), RequestTimeout: time.Minute}, zitadel.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { client.Close() })
	return client
}

func measure(b *testing.B, server *zitadeltest.Server, n int, read func() int) {
	b.Helper()
	b.ReportAllocs()
	server.ResetCounts()
	events := 0
	for b.Loop() {
		events += read()
	}
	if want := b.N * n; events < want*99/100 || events > want {
		b.Fatalf("%d events, want %d", events, want)
	}
	c := server.Count("ListEvents")
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(c.Rows)/float64(events), "rows/event")
	b.ReportMetric(float64(c.Calls)/float64(events)*1000, "calls/1000events")
}

func bareLoop(b *testing.B, client Client) (n int) {
	b.Helper()
	req := &adminpb.ListEventsRequest{Asc: true, Limit: 1000}
	for {
		page, err := client.ListEvents(context.Background(), req)
		if err != nil {
			b.Fatal(err)
		}
		n += len(page)
		if len(page) < 1000 {
			return n
		}
		req.CreationDateFilter = &adminpb.ListEventsRequest_From{From: timestamppb.New(created(page[len(page)-1]))}
	}
}

func readAll(b *testing.B, client Client, end time.Time, emit Emit) int {
	b.Helper()
	s := benchSettings
	s.End = end
	r, err := NewReader(client, s, cursor.State{}, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	if err := r.Run(context.Background(), emit); err != nil {
		b.Fatal(err)
	}
	return int(r.Stats().Events.Load())
}
