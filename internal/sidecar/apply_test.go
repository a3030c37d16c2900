package sidecar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/internal/sink"
	"github.com/zitadel-siem/zitadel-siem/internal/source"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// broken holds each Send until let is closed, and then will not work again.
type broken struct {
	begun chan struct{}
	let   chan struct{}
}

func (b *broken) Send(context.Context, string, []byte, int) error {
	select {
	case b.begun <- struct{}{}:
	default:
	}
	<-b.let
	return &sink.FinalError{Err: errors.New("standard output: broken pipe")}
}

func (b *broken) Close() error { return nil }

func TestSet_AFinalErrorOfASourceThatIsReplacedIsReturned(t *testing.T) {
	srv, far := serve(t, 50), forwardtest.Start(t, forwardtest.Options{})
	one, two := settings(t, srv, far), settings(t, srv, far, "instance", "two")
	b := &broken{make(chan struct{}, 1), make(chan struct{})}
	set, err := Start(t.Context(), []config.PullSettings{one, two}, func(ctx context.Context, s config.PullSettings, hold Hold) (*Feed, error) {
		if s.Instance == "one" {
			return Open(ctx, s, b, source.Options{Log: slog.New(slog.DiscardHandler), Format: format.Raw()})
		}
		return opener(ctx, s, hold)
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	set.Stays = true
	done := make(chan error, 1)
	go func() { done <- set.Run(t.Context()) }()
	<-b.begun
	applied := make(chan struct{})
	go func() { defer close(applied); set.Apply([]config.PullSettings{two}) }()
	testkit.Until(t, "the replacement", func() bool { return len(set.views()) == 1 })
	close(b.let)
	<-applied
	select {
	case err := <-done:
		if !sink.IsFinal(err) {
			t.Errorf("Run returned %v: the process exits with 0 although its output is gone", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Run goes on")
	}
}

func TestApply_OpensFewAtOnce(t *testing.T) {
	var now, most, tried atomic.Int64
	set := runOpening(t, func(context.Context, config.PullSettings, Hold) (*Feed, error) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(2 * time.Millisecond) // a slow disk, not a wait
		now.Add(-1)
		tried.Add(1)
		return nil, errors.New("no")
	})
	var list []config.PullSettings
	for i := range 300 {
		s := config.PullSettings{}
		s.Instance = fmt.Sprint(i)
		list = append(list, s)
	}
	set.Apply(list)
	testkit.Until(t, "each source to be tried", func() bool { return tried.Load() >= 300 })
	if n := most.Load(); n > openAtOnce {
		t.Errorf("%d opened at once", n)
	}
}

func TestSet_APanicWhileOpeningEndsNoOtherSource(t *testing.T) {
	srv, far := serve(t, 50), forwardtest.Start(t, forwardtest.Options{})
	one, two := settings(t, srv, far), settings(t, srv, far, "instance", "two")
	set := runOpening(t, func(ctx context.Context, s config.PullSettings, hold Hold) (*Feed, error) {
		if s.Instance == "two" {
			panic("oops")
		}
		return opener(ctx, s, hold)
	}, one)
	set.Apply([]config.PullSettings{one, two})
	wantOnce(t, srv, far, "one")
	testkit.Until(t, "the panic to be told", func() bool { return strings.Contains(set.views()[1].trouble, "panic of type string") })
}
