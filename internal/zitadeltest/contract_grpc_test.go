package zitadeltest

import (
	"context"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	messagepb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/message"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// grpcError is one recorded gRPC call.
type grpcError struct {
	Name    string   `json:"name"`
	Code    string   `json:"code"`
	Message string   `json:"message"`
	Details []string `json:"details"` // values of the details, in hex
}

func grpcPageRequests(t *testing.T) []*adminpb.ListEventsRequest {
	t.Helper()
	b, err := os.ReadFile("testdata/events-grpc-pages.requests.hex")
	if err != nil {
		t.Fatal(err)
	}
	var all []*adminpb.ListEventsRequest
	for line := range strings.Lines(string(b)) {
		raw, err := hex.DecodeString(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		req := &adminpb.ListEventsRequest{}
		if err := proto.Unmarshal(raw, req); err != nil {
			t.Fatal(err)
		}
		all = append(all, req)
	}
	return all
}

// replay makes the recorded call and compares code, message and details.
func (e grpcError) replay(t *testing.T) {
	srv := start(t, recordedStore(), Options{Hosts: []string{"localhost"}})
	authority, token := "localhost:18080", srv.Token()
	req := &adminpb.ListEventsRequest{Limit: 1}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	switch e.Name {
	case "no-token":
		token = ""
	case "bad-token":
		token = "abc"
	case "no-permission":
		token = as(NoRole)(srv)
	case "org-owner-only":
		token = as(OrgOwner)(srv)
	case "limit-5000-ok":
		req.Limit = 5000
	case "eventtypes-31":
		req.EventTypes = make([]string, 31)
	case "nul-in-filter":
		req.AggregateId = "a\x00b"
	case "unknown-proto-field":
		unknown := protowire.AppendTag(nil, 999, protowire.BytesType)
		req.ProtoReflect().SetUnknown(protowire.AppendString(unknown, "?"))
	case "deadline-1ns":
		short, stop := context.WithTimeout(ctx, time.Nanosecond)
		defer stop()
		ctx = short
	case "server-down":
		srv.Stop()
	case "wrong-authority":
		authority = "127.0.0.1:18080"
	default:
		t.Fatalf("no scene for %q", e.Name)
	}
	client, _ := rpc(t, srv, grpc.WithAuthority(authority))
	if token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	var header metadata.MD
	_, err := client.ListEvents(ctx, req, grpc.Header(&header))
	st := status.Convert(err)
	if st.Code().String() != e.Code {
		t.Fatalf("code %s, recorded %s: %v", st.Code(), e.Code, err)
	}
	message := st.Message()
	if e.Name == "server-down" {
		message = strings.Replace(message, strings.TrimPrefix(srv.URL(), "http://"), "127.0.0.1:18081", 1)
	}
	if message != e.Message {
		t.Errorf("message %q, recorded %q", message, e.Message)
	}
	var details []string
	for _, d := range st.Details() {
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(d.(*messagepb.ErrorDetail))
		if err != nil {
			t.Fatal(err)
		}
		details = append(details, hex.EncodeToString(b))
	}
	if strings.Join(details, ",") != strings.Join(e.Details, ",") {
		t.Errorf("details %v, recorded %v", details, e.Details)
	}
	if e.Name == "deadline-1ns" || e.Name == "server-down" {
		return // nobody answered
	}
	for _, k := range []string{"cache-control", "expires", "pragma", "grpc-metadata-expires", "x-request-id", "x-robots-tag"} {
		if len(header.Get(k)) != 1 {
			t.Errorf("header %s: %v", k, header.Get(k))
		}
	}
}
