package etcd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
)

// Unreachable is the error of a request that etcd did not answer. The client of etcd often says no
// more than that the time is over.
type Unreachable struct {
	Endpoints []string
	Reason    string // why there is no connection; empty: there is one
	Err       error
}

// unanswered tells whether an error is one of those.
func unanswered(err error) bool {
	if refused, ok := errors.AsType[rpctypes.EtcdError](err); ok { // etcd: there is no leader
		return refused.Code() == codes.Unavailable
	}
	return errors.Is(err, context.DeadlineExceeded) || status.Code(err) == codes.Unavailable
}

func (e *Unreachable) Error() string {
	hosts := strings.Join(e.Endpoints, ", ")
	switch {
	case e.Reason == "" && errors.Is(e.Err, context.DeadlineExceeded):
		return fmt.Sprintf("etcd at %s: connected, but there was no answer in time", hosts)
	case e.Reason == "":
		return fmt.Sprintf("etcd at %s: %s", hosts, cluster.WithoutOwnPort(e.Err.Error()))
	}
	return fmt.Sprintf("etcd at %s: no connection: %s", hosts, e.Reason)
}

func (e *Unreachable) Unwrap() error { return e.Err }

const noTLS = "etcd has no TLS there: switch it on (--cert-file, --key-file), or write tls=off into state if the way there is secure"

const closed = "etcd closes the connection: if it has TLS, name the authority of its certificate in state (ca_file=PATH); if it wants a certificate of its clients, add cert_file=PATH and key_file=PATH"

// fixes are by a part of the reason, which has no types: gRPC makes a text of each error. The first one
// counts. A member that is down is not why the others cannot be used, so what all have comes before it.
var fixes = []struct{ part, fix string }{
	{"first record does not look like a TLS handshake", noTLS},
	{"certificate required", "etcd wants a certificate of its clients: add cert_file=PATH and key_file=PATH to state"},
	{"bad certificate", "etcd does not accept the certificate in cert_file: take one of the authority that it trusts (--trusted-ca-file)"},
	{"handshake failed: EOF", noTLS},
	{"x509:", "name the authority of etcd's certificate in state (ca_file=PATH), and the hosts as the certificate has them"},
	{"connection refused", "nobody listens there: start etcd, or correct hosts and ports in state"},
	{"no such host", "correct the hosts in state, or the DNS of this machine"},
	{"error reading server preface", closed},
	{"broken pipe", closed},
}

// Fix says what to do.
func (e *Unreachable) Fix() string {
	if e.Reason == "" {
		return "check that most members of etcd run, so that they have a leader: etcdctl endpoint status --cluster"
	}
	for _, f := range fixes {
		if strings.Contains(e.Reason, f.part) {
			return f.fix
		}
	}
	return "check that etcd runs, that hosts and ports in state are right, and that no firewall is between"
}

// unconnected is why there is no connection. The client of etcd takes such errors for its own, and
// repeats the request until its time is over.
//
// gRPC names one endpoint, each time another one. All that it has named since the last connection
// make a text that stays the same while nothing changes: a log shows each text once.
type unconnected struct {
	mu      sync.Mutex
	reasons []string // sorted
}

// maxReasons is enough for an etcd of five members.
const maxReasons = 5

const nobody = "nobody answers"

func (u *unconnected) why() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return strings.Join(u.reasons, "; ")
}

func (u *unconnected) unary(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	late := ctx.Err() != nil // the client of etcd repeats requests until then: this one is not tried
	err := invoke(ctx, method, req, reply, conn, opts...)
	if !late {
		u.note(err)
	}
	return err
}

func (u *unconnected) stream(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := open(ctx, desc, conn, method, opts...)
	u.note(err)
	return s, err
}

// note finds the reason in what gRPC says, for example: latest balancer error: last connection
// error: connection error: desc = "transport: Error while dialing: dial tcp …".
func (u *unconnected) note(err error) {
	found := status.Convert(err)
	reason, ok := strings.CutPrefix(found.Message(), "latest balancer error: ")
	if _, inner, more := strings.Cut(reason, "desc = "); more {
		reason, ok = inner, true
	}
	waited := strings.Contains(found.Message(), "waiting for connections")
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case found.Code() == codes.Canceled: // by this process
		return
	case found.Code() != codes.Unavailable && found.Code() != codes.DeadlineExceeded, !ok && !waited:
		u.reasons = nil // there is a connection
		return
	case !ok && len(u.reasons) > 0:
		return
	case !ok:
		reason = nobody
	default:
		u.reasons = slices.DeleteFunc(u.reasons, func(r string) bool { return r == nobody })
	}
	if text, err := strconv.Unquote(reason); err == nil {
		reason = text
	}
	reason = strings.TrimPrefix(strings.TrimPrefix(reason, "transport: "), "Error while dialing: ")
	reason = cluster.WithoutOwnPort(reason)
	if i, there := slices.BinarySearch(u.reasons, reason); !there && len(u.reasons) < maxReasons {
		u.reasons = slices.Insert(u.reasons, i, reason)
	}
}
