package zitadel

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	managementpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// busy refuses calls for some time.
type busy struct {
	until      time.Time
	code       codes.Code
	retryAfter time.Duration
	calls      int
}

func (b *busy) close() error { return nil }

func (b *busy) call(context.Context, endpoint, string, proto.Message) (proto.Message, *failure) {
	if b.calls++; time.Now().Before(b.until) {
		return nil, &failure{code: b.code, text: "Quota.Access.Exhausted", retryAfter: b.retryAfter}
	}
	return new(managementpb.CreateActionResponse), nil
}

func TestACallWaitsWhileZITADELThrottlesAndNoLonger(t *testing.T) {
	for name, c := range map[string]struct {
		patience   time.Duration
		busyFor    time.Duration
		code       codes.Code
		retryAfter time.Duration
		ok         bool
		least      time.Duration // of waiting
		most       time.Duration
	}{
		"a rate limit":       {patience: time.Minute, busyFor: 5 * time.Second, code: codes.ResourceExhausted, ok: true, least: 5 * time.Second, most: 13 * time.Second},
		"as it was told":     {patience: time.Minute, busyFor: 5 * time.Second, code: codes.ResourceExhausted, retryAfter: 20 * time.Second, ok: true, least: 20 * time.Second, most: 20 * time.Second},
		"told to wait long":  {patience: time.Minute, busyFor: time.Hour, code: codes.ResourceExhausted, retryAfter: time.Hour},
		"a quota":            {patience: time.Minute, busyFor: time.Hour, code: codes.ResourceExhausted, least: 30 * time.Second, most: time.Minute},
		"without patience":   {busyFor: time.Second, code: codes.ResourceExhausted},
		"another error":      {patience: time.Minute, busyFor: time.Second, code: codes.PermissionDenied},
		"no error":           {patience: time.Minute, ok: true},
		"the server is away": {patience: time.Minute, busyFor: time.Second, code: codes.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				server := &busy{until: began.Add(c.busyFor), code: c.code, retryAfter: c.retryAfter}
				client := throttled(t, server, c.patience)
				_, err := invoke(t.Context(), client, createAction, new(managementpb.CreateActionRequest))
				if took := time.Since(began); (err == nil) != c.ok || took < c.least || took > c.most {
					t.Errorf("%v after %s and %d calls", err, took, server.calls)
				}
			})
		})
	}
}

func TestWaitingForZITADELEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		server := &busy{until: time.Now().Add(time.Hour), code: codes.ResourceExhausted, retryAfter: time.Minute}
		began := time.Now()
		_, err := invoke(ctx, throttled(t, server, time.Hour), createAction, new(managementpb.CreateActionRequest))
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != time.Second {
			t.Error(err, took)
		}
	})
}

// throttled is a client of that server.
func throttled(t *testing.T, server transport, wait time.Duration) *Client {
	c := &Client{login: staticLogin{value: "token"}, transport: server, timeout: time.Minute, scrub: newScrubber(), clock: newClock(),
		patience: patience(wait), log: slog.New(slog.DiscardHandler)}
	c.life, c.end = context.WithCancel(t.Context())
	t.Cleanup(c.end)
	return c
}
