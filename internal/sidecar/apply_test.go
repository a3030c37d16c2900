package sidecar

import (
	"context"
	"errors"
	"log/slog"
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
	set, err := Start(t.Context(), []config.PullSettings{one, two}, func(ctx context.Context, s config.PullSettings) (*Feed, error) {
		if s.Instance == "one" {
			return Open(ctx, s, b, source.Options{Log: slog.New(slog.DiscardHandler), Format: format.Raw()})
		}
		return opener(ctx, s)
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
