package events

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// relaying runs Relay on pushes, and returns what came out and how often Done was called.
func relaying(t *testing.T, settings config.Settings, pushes ...Push) (out []record.Record, done int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := make(chan Push, len(pushes))
		for _, p := range pushes {
			p.Done = func() { done++ }
			c <- p
		}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() {
			ended <- Relay(ctx, settings, Options{Log: slog.New(slog.DiscardHandler), Pushes: c, Stats: new(Stats)}, func(_ context.Context, b Batch) error {
				out = append(out, b.Records...)
				b.Done()
				return nil
			})
		}()
		synctest.Wait()
		stop()
		<-ended
	})
	return out, done
}

// The reader would have left these out too: they come out nowhere, or only there.
func TestRelay_WhatTheFiltersLeaveOutDoesNotComeOut(t *testing.T) {
	own, of := pushOf("9", 1, time.Now()), pushOf("1", 1, time.Now())
	own.Event.Aggregate.Type.Type = "oidc_session"
	other := pushOf("2", 1, time.Now())
	other.Event.Aggregate.ResourceOwner = "another"
	call := Push{Record: &record.Event{Type: "api.request"}}
	unreadable := Push{}
	out, done := relaying(t, config.Settings{Instance: "lab", ExcludeOwn: true, ResourceOwners: []string{"org"}}, own, other, unreadable, of, call)
	if len(out) != 2 || out[0].ID() != (record.Key{Instance: "lab", AggregateType: "user", AggregateID: "1", Sequence: 1}).ID() || out[1].EventType() != "api.request" {
		t.Errorf("it emitted %v", out)
	}
	if done != 1 {
		t.Errorf("Done was called %d times, want once for the batch", done)
	}
}

// An entry may have waited in the spool while the member was down.
func TestRelay_OldEventComesOut(t *testing.T) {
	out, _ := relaying(t, config.Settings{Instance: "lab"}, pushOf("1", 1, time.Now().Add(-100*24*time.Hour)))
	if len(out) != 1 || out[0].(*record.Event).Source != record.SourceWebhook {
		t.Errorf("it emitted %v", out)
	}
}

// A backlog comes in batches of bounded size.
func TestRelay_BatchesAreBounded(t *testing.T) {
	pushes := make([]Push, 2*pushTogether+1)
	for i := range pushes {
		pushes[i] = pushOf("1", uint64(i+1), time.Now())
	}
	if out, done := relaying(t, config.Settings{Instance: "lab"}, pushes...); len(out) != len(pushes) || done != 3 {
		t.Errorf("%d records in %d batches", len(out), done)
	}
}
