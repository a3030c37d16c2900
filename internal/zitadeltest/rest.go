package zitadeltest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	actionpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/action/v2"
	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	managementpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// rest is ZITADEL's gateway, the same runtime with the same settings, in front of the
// same implementation; and the token endpoint.
func (s *Server) rest() http.Handler {
	marshaler := &runtime.JSONPb{UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: true}}
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(marshaler.ContentType(nil), marshaler),
		runtime.WithMarshalerOption(runtime.MIMEWildcard, marshaler),
		runtime.WithOutgoingHeaderMatcher(runtime.DefaultHeaderMatcher),
		runtime.WithRoutingErrorHandler(routingError),
	)
	for _, route := range []struct {
		verb, path, method string
		request            func() proto.Message
	}{
		{http.MethodPost, "/admin/v1/events/_search", "ListEvents", func() proto.Message { return new(adminpb.ListEventsRequest) }},
		{http.MethodPost, "/admin/v1/events/types/_search", "ListEventTypes", func() proto.Message { return new(adminpb.ListEventTypesRequest) }},
		{http.MethodPost, "/admin/v1/aggregates/types/_search", "ListAggregateTypes", func() proto.Message { return new(adminpb.ListAggregateTypesRequest) }},
		// If two match, the gateway takes the later one.
		{http.MethodPost, "/v2/actions/targets/{id}", "UpdateTarget", func() proto.Message { return new(actionpb.UpdateTargetRequest) }},
		{http.MethodPost, "/v2/actions/targets/search", "ListTargets", func() proto.Message { return new(actionpb.ListTargetsRequest) }},
		{http.MethodPost, "/v2/actions/targets", "CreateTarget", func() proto.Message { return new(actionpb.CreateTargetRequest) }},
		{http.MethodDelete, "/v2/actions/targets/{id}", "DeleteTarget", func() proto.Message { return new(actionpb.DeleteTargetRequest) }},
		{http.MethodPost, "/v2/actions/executions/search", "ListExecutions", func() proto.Message { return new(actionpb.ListExecutionsRequest) }},
		{http.MethodGet, "/v2/actions/executions/methods", "ListExecutionMethods", func() proto.Message { return new(actionpb.ListExecutionMethodsRequest) }},
		{http.MethodPut, "/v2/actions/executions", "SetExecution", func() proto.Message { return new(actionpb.SetExecutionRequest) }},
		{http.MethodPost, "/admin/v1/orgs/_search", "ListOrgs", func() proto.Message { return new(adminpb.ListOrgsRequest) }},
		{http.MethodGet, "/management/v1/orgs/me", "GetMyOrg", func() proto.Message { return new(managementpb.GetMyOrgRequest) }},
		{http.MethodPost, "/management/v1/actions", "CreateAction", func() proto.Message { return new(managementpb.CreateActionRequest) }},
		{http.MethodPost, "/management/v1/actions/_search", "ListActions", func() proto.Message { return new(managementpb.ListActionsRequest) }},
		{http.MethodPut, "/management/v1/actions/{id}", "UpdateAction", func() proto.Message { return new(managementpb.UpdateActionRequest) }},
		{http.MethodPost, "/management/v1/actions/{id}/_reactivate", "ReactivateAction", func() proto.Message { return new(managementpb.ReactivateActionRequest) }},
		{http.MethodDelete, "/management/v1/actions/{id}", "DeleteAction", func() proto.Message { return new(managementpb.DeleteActionRequest) }},
		{http.MethodGet, "/management/v1/flows/{type}", "GetFlow", func() proto.Message { return new(managementpb.GetFlowRequest) }},
		{http.MethodPost, "/management/v1/flows/{flow_type}/trigger/{trigger_type}", "SetTriggerActions", func() proto.Message { return new(managementpb.SetTriggerActionsRequest) }},
	} {
		err := mux.HandlePath(route.verb, route.path, func(w http.ResponseWriter, r *http.Request, params map[string]string) {
			s.forward(mux, w, r, route.method, route.request(), params)
		})
		if err != nil { // the paths above are constants
			panic("zitadeltest: " + err.Error())
		}
	}
	all := http.NewServeMux()
	s.tokenRoutes(all)
	all.Handle("/", mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Vary", "Origin")
		h.Set("X-Robots-Tag", "none")
		h.Set("X-Request-Id", requestID(s.now()))
		h.Set("Date", s.now().UTC().Format(http.TimeFormat))
		all.ServeHTTP(&cookieWriter{ResponseWriter: w}, r)
	})
}

// forward does what the generated gateway code does for one method.
func (s *Server) forward(mux *runtime.ServeMux, w http.ResponseWriter, r *http.Request, method string, req proto.Message, params map[string]string) {
	in, out := runtime.MarshalerForRequest(mux, r)
	ctx := r.Context()
	if err := in.NewDecoder(r.Body).Decode(req); err != nil && !errors.Is(err, io.EOF) {
		runtime.HTTPError(ctx, mux, out, w, r, status.Error(codes.InvalidArgument, err.Error()))
		return
	}
	for name, value := range params {
		if err := runtime.PopulateFieldFromPath(req, name, value); err != nil {
			runtime.HTTPError(ctx, mux, out, w, r, status.Error(codes.InvalidArgument, err.Error()))
			return
		}
	}
	if s.Faults().Starting {
		// The gateway runs without a connection to the gRPC server, so that there is
		// no metadata.
		runtime.HTTPError(ctx, mux, out, w, r, errStarting)
		return
	}
	auth := r.Header["Authorization"]
	c := caller{
		host:          r.Host,
		scheme:        s.scheme(),
		authorization: first(auth),
		authorized:    len(auth) > 0,
		lang:          language(r.Header.Get("Accept-Language")),
		org:           r.Header.Get("x-zitadel-orgid"),
	}
	resp, err := s.serve(ctx, c, method, req)
	md := metadata.Join(s.metadata(), metadata.Pairs("content-type", "application/grpc"))
	ctx = runtime.NewServerMetadataContext(ctx, runtime.ServerMetadata{HeaderMD: md})
	if err != nil {
		runtime.HTTPError(ctx, mux, out, w, r, err)
		return
	}
	message, err := decoded(resp)
	if err != nil {
		runtime.HTTPError(ctx, mux, out, w, r, err)
		return
	}
	runtime.ForwardResponseMessage(ctx, mux, out, w, r, message)
}

// routingError gives 405 the code 12, as ZITADEL does. Other errors are the gateway's own.
func routingError(ctx context.Context, mux *runtime.ServeMux, m runtime.Marshaler, w http.ResponseWriter, r *http.Request, code int) {
	if code != http.StatusMethodNotAllowed {
		runtime.DefaultRoutingErrorHandler(ctx, mux, m, w, r, code)
		return
	}
	runtime.DefaultHTTPErrorHandler(ctx, mux, m, w, r, &runtime.HTTPStatusError{
		HTTPStatus: code, Err: status.Error(codes.Unimplemented, http.StatusText(code)),
	})
}

// cookieWriter sets the cookie that shows ZITADEL's console an exhausted quota: every
// 2xx removes it, every 429 sets it.
type cookieWriter struct {
	http.ResponseWriter
	wrote bool
}

func (w *cookieWriter) WriteHeader(code int) {
	if !w.wrote {
		w.wrote = true
		switch {
		case code >= 200 && code < 300:
			w.setCookie("zitadel.quota.exhausted=; Path=/; Max-Age=0; SameSite=Lax")
		case code == http.StatusTooManyRequests:
			w.setCookie("zitadel.quota.exhausted=true; Path=/; Max-Age=300; SameSite=Lax")
		}
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *cookieWriter) setCookie(value string) {
	w.Header().Set("Set-Cookie", value)
	vary := textproto.TrimString(strings.Join(w.Header()["Vary"], ", "))
	w.Header().Set("Vary", vary+", Cookie")
}

func (w *cookieWriter) Write(b []byte) (int, error) {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection's writer.
func (w *cookieWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// writeJSON is for the token endpoint, which is no part of the gateway.
func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // the client is gone: nothing to do
}
