package zitadel

import (
	"context"
	"net/http"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	authpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/auth"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// A method is an endpoint with the types of its request and its answer.
type method[Req, Resp proto.Message] struct{ endpoint }

// An endpoint is one RPC of zitadel-go's services, and the REST call that the
// gateway maps to it.
type endpoint struct {
	rpc   func(ctx context.Context, on grpc.ClientConnInterface, req proto.Message, opts ...grpc.CallOption) (proto.Message, error)
	empty func() proto.Message // an answer to decode into
	verb  string
	path  string // {id} is the field id of the request

	setup   bool // of setup, which needs another role than reading
	scripts bool // of Actions V1, which need roles in an organization
	once    bool // must not be sent twice
}

var (
	listEvents = newMethod(adminpb.NewAdminServiceClient, adminpb.AdminServiceClient.ListEvents,
		http.MethodPost, "/admin/v1/events/_search")
	listEventTypes = newMethod(adminpb.NewAdminServiceClient, adminpb.AdminServiceClient.ListEventTypes,
		http.MethodPost, "/admin/v1/events/types/_search")
	listAggregateTypes = newMethod(adminpb.NewAdminServiceClient, adminpb.AdminServiceClient.ListAggregateTypes,
		http.MethodPost, "/admin/v1/aggregates/types/_search")
	getMyUser = newMethod(authpb.NewAuthServiceClient, authpb.AuthServiceClient.GetMyUser,
		http.MethodGet, "/auth/v1/users/me")
)

func newMethod[Service any, Req, Resp proto.Message](
	service func(grpc.ClientConnInterface) Service,
	rpc func(Service, context.Context, Req, ...grpc.CallOption) (Resp, error),
	verb, path string,
) method[Req, Resp] {
	return method[Req, Resp]{endpoint{
		rpc: func(ctx context.Context, on grpc.ClientConnInterface, req proto.Message, opts ...grpc.CallOption) (proto.Message, error) {
			return rpc(service(on), ctx, req.(Req), opts...)
		},
		empty: func() proto.Message {
			var none Resp
			return none.ProtoReflect().Type().New().Interface()
		},
		verb: verb,
		path: path,
	}}
}

// invoke calls m. The error is an [*Error], or the one of ctx.
func invoke[Req, Resp proto.Message](ctx context.Context, c *Client, m method[Req, Resp], req Req) (Resp, error) {
	resp, err := c.call(ctx, m.endpoint, req)
	if err != nil {
		var none Resp
		return none, err
	}
	return resp.(Resp), nil
}
