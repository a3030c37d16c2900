package zitadeltest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recordedStore holds the 2,881 recorded events at their own times.
func recordedStore() *Store {
	store := NewStore()
	store.Append(RecordedEvents(time.Time{})...)
	return store
}

func start(t testing.TB, store *Store, opts Options) *Server {
	t.Helper()
	srv := NewServer(store, opts)
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Stop)
	return srv
}

// rpcTLS is rpc over TLS.
func rpcTLS(t testing.TB, srv *Server, creds credentials.TransportCredentials) (adminpb.AdminServiceClient, context.Context) {
	t.Helper()
	return rpc(t, srv, grpc.WithTransportCredentials(creds))
}

// rpc returns a gRPC client and a context with the server's token.
func rpc(t testing.TB, srv *Server, opts ...grpc.DialOption) (adminpb.AdminServiceClient, context.Context) {
	t.Helper()
	target := strings.TrimPrefix(strings.TrimPrefix(srv.URL(), "http://"), "https://")
	conn, err := grpc.NewClient(target, append([]grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64 << 20)),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // against hanging, not a measure
	t.Cleanup(cancel)
	return adminpb.NewAdminServiceClient(conn), withToken(ctx, srv)
}

// post asks over REST with a connection of its own.
func post(t testing.TB, srv *Server, path, body string, header http.Header) (*http.Response, []byte) {
	t.Helper()
	resp, b, err := tryPost(t, srv, path, body, header)
	if err != nil {
		t.Fatal(err)
	}
	return resp, b
}

func tryPost(t testing.TB, srv *Server, path, body string, header http.Header) (*http.Response, []byte, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+srv.Token())
	for k, v := range header {
		req.Header[k] = v
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, b, err
}

// Every recorded event comes back as it was recorded, over all three ways.
func TestRecordedEventsComeBackUnchanged(t *testing.T) {
	srv := start(t, recordedStore(), Options{})
	client, ctx := rpc(t, srv)

	direct := func(req *adminpb.ListEventsRequest) []*eventpb.Event {
		events, err := srv.Direct().ListEvents(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		return events
	}
	overGRPC := func(req *adminpb.ListEventsRequest) []*eventpb.Event {
		resp, err := client.ListEvents(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		return resp.GetEvents()
	}
	overREST := func(req *adminpb.ListEventsRequest) []*eventpb.Event {
		body, err := json.Marshal(map[string]any{"asc": req.GetAsc(), "from": rfc3339(req)})
		if err != nil {
			t.Fatal(err)
		}
		_, b := post(t, srv, "/admin/v1/events/_search", string(body), nil)
		return decodePage(t, b)
	}
	for name, list := range map[string]func(*adminpb.ListEventsRequest) []*eventpb.Event{
		"direct": direct, "gRPC": overGRPC, "REST": overREST,
	} {
		t.Run(name, func(t *testing.T) {
			var got []*eventpb.Event
			req := &adminpb.ListEventsRequest{Asc: true}
			for {
				page := list(req)
				if len(page) == 0 {
					break
				}
				got = append(got, page...)
				req.CreationDateFilter = &adminpb.ListEventsRequest_From{From: page[len(page)-1].GetCreationDate()}
			}
			// No recorded page of 1,000 ends inside a group of one creation date.
			requireEvents(t, recorded(), got)
		})
	}
}

// requireEvents compares two pages and shows the first difference.
func requireEvents(t testing.TB, want, got []*eventpb.Event) {
	t.Helper()
	for i := range min(len(want), len(got)) {
		if !proto.Equal(want[i], got[i]) {
			t.Fatalf("event %d differs (-want +got):\n%s", i, cmp.Diff(want[i], got[i], protocmp.Transform()))
		}
	}
	if len(want) != len(got) {
		t.Fatalf("%d events, want %d", len(got), len(want))
	}
}

func decodePage(t testing.TB, body []byte) []*eventpb.Event {
	t.Helper()
	var resp adminpb.ListEventsResponse
	if err := protojson.Unmarshal(body, &resp); err != nil {
		t.Fatalf("%v in %.200s", err, body)
	}
	return resp.GetEvents()
}

func rfc3339(req *adminpb.ListEventsRequest) any {
	if req.GetFrom() == nil {
		return nil
	}
	return req.GetFrom().AsTime().Format(time.RFC3339Nano)
}

// Rows are encoded by hand; the bytes are those of proto.Marshal.
func TestEncodingIsThatOfProtobuf(t *testing.T) {
	srv := NewServer(recordedStore(), Options{})
	big := bytes.Repeat([]byte("x"), 40_000) // a length of three bytes
	srv.Store().Append(Event{
		AggregateType: "a", AggregateID: "b", Type: "c", CreatedAt: time.Unix(1, 0),
	}, Event{
		AggregateType: "user", AggregateID: "b", Type: "user.locked", CreatedAt: time.Unix(-1, 5000),
		Payload: mustStruct(map[string]any{"big": string(big)}),
	})
	for i := range srv.store.rows {
		got := appendEvent(nil, &srv.store.rows[i], "")
		m := &adminpb.ListEventsResponse{}
		if err := proto.Unmarshal(got, m); err != nil {
			t.Fatalf("row %d: %v", i, err)
		}
		want, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("row %d:\n got %x\nwant %x", i, got, want)
		}
	}
}

func withToken(ctx context.Context, srv *Server) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+srv.Token())
}
