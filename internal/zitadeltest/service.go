package zitadeltest

import (
	"cmp"
	"context"
	"net"
	"slices"
	"strings"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	messagepb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/message"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// caller is what a transport knows about a request.
type caller struct {
	host          string // Host or :authority
	scheme        string
	authorization string
	authorized    bool // an Authorization header was there
	lang          string
	org           string // x-zitadel-orgid
}

// encodedEvents is a ListEventsResponse that is encoded already.
type encodedEvents []byte

// serve answers one request of any transport, in the order of ZITADEL's
// interceptors: host, block, token, role, quota, validation. The answer of
// ListEvents is encodedEvents, of the others a message.
func (s *Server) serve(ctx context.Context, c caller, method string, req proto.Message) (resp any, err error) {
	count := s.counters[method]
	if count == nil {
		count = &counter{}
	}
	count.calls.Add(1)
	defer func() {
		if err != nil {
			count.failed.Add(1)
		}
	}()

	f := s.Faults()
	if err := pause(ctx, f.Latency); err != nil {
		return nil, statusOf(err)
	}
	if err := s.admit(c, method, &f); err != nil {
		return nil, err
	}
	if r, ok := req.(*adminpb.ListEventsRequest); ok {
		if err := validate(r); err != nil {
			return nil, err
		}
	}
	if f.BeforeQuery != nil {
		if err := f.BeforeQuery(ctx, method, req); err != nil {
			return nil, statusOf(err)
		}
	}
	switch r := req.(type) {
	case *adminpb.ListEventsRequest:
		resp, err = s.listEvents(ctx, r, c.lang, &f, count)
	case *adminpb.ListEventTypesRequest:
		resp = eventTypes(c.lang)
	case *adminpb.ListAggregateTypesRequest:
		resp = aggregateTypes(c.lang)
	default:
		var answer proto.Message
		if answer, err = s.actions.serve(req); answer == nil && err == nil {
			answer, err = s.orgs.serve(cmp.Or(c.org, s.orgs.First()), req)
		}
		if answer != nil {
			resp = answer
		} else if err == nil {
			err = status.Errorf(codes.Unimplemented, "method %s not implemented", method)
		}
	}
	if err != nil {
		return nil, statusOf(err)
	}
	if f.BeforeAnswer != nil {
		message, err := decoded(resp)
		if err != nil {
			return nil, statusOf(err)
		}
		if err := f.BeforeAnswer(ctx, method, req, message); err != nil {
			return nil, statusOf(err)
		}
	}
	return resp, nil
}

// admit makes the checks that do not depend on the content of the request.
func (s *Server) admit(c caller, method string, f *Faults) error {
	switch {
	case f.Starting:
		return errStarting
	case f.DatabaseDown:
		return errDatabaseDown(c.host, c.scheme)
	case !s.accepts(c.host):
		return errWrongHost(c.host, c.scheme)
	case f.Blocked:
		return errBlocked
	}
	if err := s.authorize(c, method); err != nil {
		return err
	}
	if s.quotaExhausted() {
		return errQuota
	}
	return nil
}

// accepts reports whether host is a domain of the instance.
func (s *Server) accepts(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if len(s.opts.Hosts) > 0 {
		return slices.Contains(s.opts.Hosts, name)
	}
	ip := net.ParseIP(strings.Trim(name, "[]"))
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

func (s *Server) listEvents(ctx context.Context, req *adminpb.ListEventsRequest, lang string, f *Faults, count *counter) (encodedEvents, error) {
	var oldest time.Time
	if f.Retention > 0 {
		oldest = s.now().Add(-f.Retention)
	}
	page, scanned, err := s.store.search(ctx, newQuery(req, oldest))
	if err != nil {
		return nil, err
	}
	count.rows.Add(int64(scanned))
	if err := pause(ctx, f.PerRow*time.Duration(scanned)); err != nil {
		return nil, err
	}
	const usual = 400 // bytes of a recorded event, a little more than the mean
	b := make([]byte, 0, usual*len(page))
	for i := range page {
		if page[i].shape.poison {
			return nil, errPoison
		}
		b = appendEvent(b, &page[i], lang)
	}
	limit := f.MaxMessage
	if limit == 0 {
		limit = MaxMessage
	}
	if len(b) > limit {
		return nil, errTooLarge(len(b), limit)
	}
	count.events.Add(int64(len(page)))
	count.bytes.Add(int64(len(b)))
	return b, nil
}

func eventTypes(lang string) *adminpb.ListEventTypesResponse {
	resp := &adminpb.ListEventTypesResponse{}
	for _, t := range catalogue().eventTypes {
		resp.EventTypes = append(resp.EventTypes, &eventpb.EventType{Type: t, Localized: localized(eventTypeKey+t, lang)})
	}
	return resp
}

func aggregateTypes(lang string) *adminpb.ListAggregateTypesResponse {
	resp := &adminpb.ListAggregateTypesResponse{}
	for _, t := range catalogue().aggregateTypes {
		resp.AggregateTypes = append(resp.AggregateTypes, &eventpb.AggregateType{Type: t, Localized: localized(aggregateTypeKey+t, lang)})
	}
	return resp
}

func localized(key, lang string) *messagepb.LocalizedMessage {
	return &messagepb.LocalizedMessage{Key: key, LocalizedMessage: catalogue().name(key, lang)}
}

// decoded is the message of an answer of serve.
func decoded(resp any) (proto.Message, error) {
	b, ok := resp.(encodedEvents)
	if !ok {
		return resp.(proto.Message), nil
	}
	m := &adminpb.ListEventsResponse{}
	return m, proto.Unmarshal(b, m)
}

// statusOf makes any error a gRPC status. An error without one, such as that of a hook,
// gets code 13.
func statusOf(err error) error {
	if _, ok := status.FromError(err); ok {
		return err
	}
	if st := status.FromContextError(err); st.Code() != codes.Unknown {
		return st.Err()
	}
	return status.Error(codes.Internal, err.Error())
}
