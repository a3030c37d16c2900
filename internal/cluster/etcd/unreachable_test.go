package etcd

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// gRPC names another endpoint with each attempt. A log shows each text once, so the text must not alternate.
func TestReasonStaysTheSameWhileNothingChanges(t *testing.T) {
	var u unconnected
	for i, step := range []struct {
		err  error
		want string
	}{
		{status.Error(codes.DeadlineExceeded, "context deadline exceeded while waiting for connections to become ready"), "nobody answers"},
		{status.Error(codes.Unavailable, `last connection error: connection error: desc = "transport: Error while dialing: dial tcp b:1: connect: connection refused"`), "dial tcp b:1: connect: connection refused"},
		{status.Error(codes.Unavailable, `connection error: desc = "error reading server preface: read tcp 10.0.0.1:4711->a:1: connection reset"`), "dial tcp b:1: connect: connection refused; error reading server preface: read tcp a:1: connection reset"},
		{status.Error(codes.Unavailable, `connection error: desc = "error reading server preface: read tcp 10.0.0.1:4712->a:1: connection reset"`), "dial tcp b:1: connect: connection refused; error reading server preface: read tcp a:1: connection reset"},
		{status.Error(codes.DeadlineExceeded, "context deadline exceeded while waiting for connections to become ready"), "dial tcp b:1: connect: connection refused; error reading server preface: read tcp a:1: connection reset"},
		{status.Error(codes.DeadlineExceeded, context.DeadlineExceeded.Error()), ""},
	} {
		u.note(step.err)
		if got := u.why(); got != step.want {
			t.Errorf("step %d: %q, want %q", i, got, step.want)
		}
	}
	u.note(status.Error(codes.DeadlineExceeded, "latest balancer error: write tcp 10.0.0.1:1->a:1: write: broken pipe"))
	if got := u.why(); got != "write tcp a:1: write: broken pipe" {
		t.Errorf("without a description: %q", got)
	}
	u.note(status.Error(codes.Canceled, context.Canceled.Error()))
	if u.why() == "" {
		t.Error("a request that this process gave up looks like an answer")
	}
	u.note(status.Error(codes.Unavailable, `desc = "x"`))
	if u.note(nil); u.why() != "" {
		t.Errorf("after an answer: %q", u.why())
	}
}

// A request on a connection that breaks has no reason of its own.
func TestBrokenConnectionHasNoNumberOfItsOwn(t *testing.T) {
	e := &Unreachable{Endpoints: []string{"a:1"}, Err: status.Error(codes.Unavailable, "error reading from server: read tcp 10.0.0.1:4711->a:1: connection reset")}
	if got := e.Error(); strings.Contains(got, "4711") || !strings.Contains(got, "read tcp a:1: connection reset") {
		t.Error(got)
	}
}

// One member of etcd is down, and the others are reached without the authority that they need.
func TestFixIsThatOfTheMembersThatAnswer(t *testing.T) {
	e := &Unreachable{Reason: "authentication handshake failed: tls: failed to verify certificate: x509: certificate signed by unknown authority; dial tcp b:1: connect: connection refused"}
	if got := e.Fix(); !strings.Contains(got, "ca_file") {
		t.Error(got)
	}
}
