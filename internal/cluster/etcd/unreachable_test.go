package etcd

import (
	"context"
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
	u.note(status.Error(codes.Unavailable, `desc = "x"`))
	if u.note(nil); u.why() != "" {
		t.Errorf("after an answer: %q", u.why())
	}
}
