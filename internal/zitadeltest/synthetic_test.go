package zitadeltest

import (
	"runtime"
	"testing"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func BenchmarkFillMillion(b *testing.B) {
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		store := NewStore()
		store.Fill(Synthetic{Events: 1_000_000, From: time.Unix(1.7e9, 0)})
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(store.Len()), "heap-B/event")
	}
}

func BenchmarkServePage(b *testing.B) {
	store := NewStore()
	from := time.Unix(1.7e9, 0)
	store.Fill(Synthetic{Events: 100_000, From: from})
	srv := start(b, store, Options{})
	client, _ := rpc(b, srv)
	req := &adminpb.ListEventsRequest{Asc: true, CreationDateFilter: &adminpb.ListEventsRequest_Range{
		Range: &adminpb.ListEventsRequestCreationDateRange{
			Since: timestamppb.New(from.Add(-time.Microsecond)), Until: timestamppb.New(from.Add(time.Second)),
		}}}
	ctx := withToken(b.Context(), srv)
	b.ReportAllocs()
	for b.Loop() {
		resp, err := client.ListEvents(ctx, req)
		if err != nil || len(resp.GetEvents()) != 1000 {
			b.Fatal(len(resp.GetEvents()), err)
		}
	}
	b.ReportMetric(1000*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkEncodePage(b *testing.B) {
	store := NewStore()
	store.Fill(Synthetic{Events: 1000, From: time.Unix(1.7e9, 0)})
	srv := NewServer(store, Options{})
	f, count := srv.Faults(), &counter{}
	b.ReportAllocs()
	for b.Loop() {
		page, err := srv.listEvents(b.Context(), &adminpb.ListEventsRequest{Asc: true}, "", &f, count)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(page)))
	}
}
