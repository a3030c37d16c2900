package zitadel

import (
	"context"
	"testing"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// BenchmarkListEvents asks a fake for the recorded page of 100 events. "bare"
// is what one would write without this package.
func BenchmarkListEvents(b *testing.B) {
	page := new(adminpb.ListEventsResponse)
	text := readTestdata(b, "events-grpc-page001-first100.pb")
	if err := proto.Unmarshal(text, page); err != nil {
		b.Fatal(err)
	}
	f := newFake(b)
	f.onList(func(context.Context, *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
		return page, nil
	})
	req := &adminpb.ListEventsRequest{Limit: 100, Asc: true}

	run := func(name string, ask func() error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if err := ask(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	conn, err := grpc.NewClient(f.Listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	bare := adminpb.NewAdminServiceClient(conn)
	ctx := metadata.AppendToOutgoingContext(b.Context(), "authorization", "Bearer static-token")
	run("bare", func() error { _, err := bare.ListEvents(ctx, req); return err })
	for _, transport := range []string{TransportGRPC, TransportREST} {
		c := f.client(b, transport)
		run(transport, func() error { _, err := c.ListEvents(b.Context(), req); return err })
	}
}
