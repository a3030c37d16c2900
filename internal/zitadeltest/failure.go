package zitadeltest

import (
	"strings"

	messagepb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/message"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// failure is an error as ZITADEL returns it. Its id is in the message and, with the
// message without it, in the details.
func failure(code codes.Code, id, message string) error {
	st := status.New(code, message+" ("+id+")")
	st, err := st.WithDetails(&messagepb.ErrorDetail{Id: id, Message: message})
	if err != nil {
		return err
	}
	return st.Err()
}

// ZITADEL's messages, as recorded.
var (
	errNoToken      = status.Error(codes.Unauthenticated, "auth header missing")
	errAuthHeader   = failure(codes.Unauthenticated, "AUTH-toLo1", "invalid auth header")
	errToken        = failure(codes.Unauthenticated, "AUTH-7fs1e", "Errors.Token.Invalid")
	errNoMembership = failure(codes.NotFound, "AUTHZ-cdgFk", "membership not found")
	errPermission   = failure(codes.PermissionDenied, "AUTH-5mWD2", "No matching permissions found")
	errBlocked      = failure(codes.ResourceExhausted, "LIMITS-molsj", "Errors.Limits.Instance.Blocked")
	errQuota        = failure(codes.ResourceExhausted, "QUOTA-vjAy8", "Quota.Access.Exhausted")
	errPoison       = failure(codes.Internal, "ADMIN-eaimD", "Errors.Internal")
	errStarting     = status.Error(codes.Unavailable,
		`connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:18080: connect: connection refused"`)
)

func errWrongHost(host, scheme string) error {
	return status.Errorf(codes.NotFound, "unable to set instance using origin &{%s  %s} (ExternalDomain is localhost): "+
		"ID=QUERY-1kIjX Message=Instance not found. Make sure you got the domain right. "+
		"Check out https://zitadel.com/docs/apis/introduction#domains", host, scheme)
}

func errDatabaseDown(host, scheme string) error {
	return status.Errorf(codes.Internal, "unable to set instance using origin &{%s  %s} (ExternalDomain is localhost): "+
		"ID=QUERY-d3fas Message=An internal error occurred Parent=(failed to connect to `user=zitadel database=zitadel`: "+
		"127.0.0.1:55432 (127.0.0.1): dial error: dial tcp 127.0.0.1:55432: connect: connection refused)", host, scheme)
}

// errTooLarge is grpc-go's own refusal to send.
func errTooLarge(size, limit int) error {
	return status.Errorf(codes.ResourceExhausted, "grpc: trying to send message larger than max (%d vs. %d)", size, limit)
}

func isTooLarge(message string) bool {
	return strings.Contains(message, "trying to send message larger than max")
}
