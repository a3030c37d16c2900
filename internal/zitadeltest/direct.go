package zitadeltest

import (
	"context"
	"errors"
	"net/http"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

// Direct asks a server in process. It has the methods of the reader's client and
// returns the same errors: *zitadel.Error, or the context's error. Faults of the
// network (cut and dropped connections, a stopped listener) have no effect on it; a
// rate limit has.
type Direct struct {
	Token  string // default the server's own
	server *Server
}

// Direct returns a client in process. The server need not be started.
func (s *Server) Direct() *Direct { return &Direct{Token: s.pat, server: s} }

// ListEvents answers one page.
func (d *Direct) ListEvents(ctx context.Context, req *adminpb.ListEventsRequest) ([]*eventpb.Event, error) {
	// A request that crosses a network is a copy.
	resp, err := d.ask(ctx, "ListEvents", proto.Clone(req))
	if err != nil {
		return nil, err
	}
	return resp.(*adminpb.ListEventsResponse).GetEvents(), nil
}

// EventTypes answers the registered event types, sorted.
func (d *Direct) EventTypes(ctx context.Context) ([]string, error) {
	resp, err := d.ask(ctx, "ListEventTypes", &adminpb.ListEventTypesRequest{})
	if err != nil {
		return nil, err
	}
	var types []string
	for _, t := range resp.(*adminpb.ListEventTypesResponse).GetEventTypes() {
		types = append(types, t.GetType())
	}
	return types, nil
}

// AggregateTypes answers the registered aggregate types, sorted.
func (d *Direct) AggregateTypes(ctx context.Context) ([]string, error) {
	resp, err := d.ask(ctx, "ListAggregateTypes", &adminpb.ListAggregateTypesRequest{})
	if err != nil {
		return nil, err
	}
	var types []string
	for _, t := range resp.(*adminpb.ListAggregateTypesResponse).GetAggregateTypes() {
		types = append(types, t.GetType())
	}
	return types, nil
}

func (d *Direct) ask(ctx context.Context, method string, req proto.Message) (proto.Message, error) {
	if d.server.throttled() {
		return nil, &zitadel.Error{
			Class: zitadel.Throttled, Code: codes.Unavailable, HTTPStatus: http.StatusTooManyRequests,
			Message: "Too Many Requests", RetryAfter: d.server.Faults().RetryAfter,
		}
	}
	c := caller{
		host: "localhost", scheme: d.server.scheme(),
		authorization: "Bearer " + d.Token, authorized: true,
	}
	if len(d.server.opts.Hosts) > 0 {
		c.host = d.server.opts.Hosts[0]
	}
	resp, err := d.server.serve(ctx, c, method, req)
	if err != nil {
		if ctxErr := ctx.Err(); ctxErr != nil {
			return nil, ctxErr
		}
		return nil, classified(err)
	}
	return decoded(resp)
}

// classified classes an error by its code and, where errors share a code, by its text.
func classified(err error) *zitadel.Error {
	st := status.Convert(err)
	e := &zitadel.Error{Class: zitadel.Stop, Code: st.Code(), Message: st.Message(), Err: err}
	switch st.Code() {
	case codes.ResourceExhausted:
		e.Class = zitadel.Throttled
		if isTooLarge(st.Message()) {
			e.Class = zitadel.TooLarge
		}
	case codes.Internal:
		e.Class = zitadel.Retry
		if errors.Is(err, errPoison) {
			e.Class = zitadel.Undecodable
		}
	case codes.Unavailable, codes.DeadlineExceeded, codes.Unknown, codes.Aborted, codes.Canceled:
		e.Class = zitadel.Retry
	case codes.Unauthenticated:
		e.Fix = "give a token that is valid"
	case codes.NotFound, codes.PermissionDenied:
		e.Fix = "give the token's user the role IAM_OWNER_VIEWER, and use the instance's own host"
	}
	return e
}
