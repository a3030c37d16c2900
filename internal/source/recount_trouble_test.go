package source

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/detect"
	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/pipe"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// old reports whether a request is for what was read before.
func old(method string, req proto.Message) bool {
	list, ok := req.(*adminpb.ListEventsRequest)
	since := list.GetRange().GetSince().AsTime()
	return ok && method == "ListEvents" && since.Year() > 2000 && since.Before(epoch.Add(-time.Minute))
}

// TestRecount_OfAZITADELThatIsAway: an outage from before the first answer costs no counts, however
// long it lasts, and a later one if reading would wait for too long.
func TestRecount_OfAZITADELThatIsAway(t *testing.T) {
	for name, outage := range map[string]struct {
		lasts time.Duration
		of    func(method string, req proto.Message) bool
	}{
		"from the start":  {5 * time.Minute, func(string, proto.Message) bool { return true }},
		"from its middle": {20 * time.Second, old},
		"for event types": {20 * time.Second, func(method string, _ proto.Message) bool { return method == "ListEventTypes" }},
	} {
		t.Run(name, func(t *testing.T) {
			spanned(t, func(w *world) {
				back := time.Now().Add(outage.lasts)
				w.srv.SetFaults(zitadeltest.Faults{BeforeQuery: func(_ context.Context, method string, req proto.Message) error {
					if time.Now().Before(back) && outage.of(method, req) {
						return status.Error(codes.Unavailable, "away")
					}
					return nil
				}})
				w.holdsFor(8 * time.Minute)
				w.want("brute_force_user")
			})
		})
	}
}

// TestRecount_DoesNotHoldUpReadingForEver: ZITADEL answers reading, and never what it is asked for
// the counts. Records come after recountPatience, and the log says that counts are too low.
func TestRecount_DoesNotHoldUpReadingForEver(t *testing.T) {
	for name, failure := range map[string]error{
		"no answer":         status.Error(codes.DeadlineExceeded, "too slow"),
		"an internal error": status.Error(codes.Internal, "a bug"),
		"refused":           status.Error(codes.InvalidArgument, "a filter that this version does not know"),
	} {
		t.Run(name, func(t *testing.T) {
			spanned(t, func(w *world) {
				w.srv.SetFaults(zitadeltest.Faults{BeforeQuery: func(_ context.Context, method string, req proto.Message) error {
					if old(method, req) {
						return failure
					}
					return nil
				}})
				go func() {
					time.Sleep(recountPatience + 10*time.Second)
					w.fail(half, "u") // of which this holder then has seen enough
				}()
				w.holdsFor(recountPatience + 20*time.Second)
				if n := len(w.came); n != 3*half {
					t.Errorf("%d events came", n)
				}
				w.want("brute_force_user")
				if s := w.log.String(); strings.Count(s, "counts of correlations are too low") != 1 {
					t.Error(s)
				}
			})
		})
	}
}

// TestRecount_EndsAtOnceWithTheHold: and the next holder counts all of it.
func TestRecount_EndsAtOnceWithTheHold(t *testing.T) {
	spanned(t, func(w *world) {
		w.srv.SetFaults(zitadeltest.Faults{Latency: 7 * time.Second})
		for _, after := range []time.Duration{time.Second, 8 * time.Second, 20 * time.Second} {
			until := time.Now().Add(after)
			w.holds(until)
			if late := time.Since(until); late > 0 {
				t.Errorf("it ended %s late", late)
			}
			if n := len(w.came); n != half {
				t.Errorf("%d events came", n)
			}
		}
		w.srv.SetFaults(zitadeltest.Faults{})
		w.holdsFor(time.Minute)
		w.want("brute_force_user")
	})
}

// TestRecount_IfTimeIsShortItLeavesOutTheOldestEvents: rules of minutes still see everything.
func TestRecount_IfTimeIsShortItLeavesOutTheOldestEvents(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.options = map[string]string{"poll_interval": "5s", "page_size": "100", "start": "now"}
		w.holdsFor(time.Second) // a state of before the log
		w.srv.Store().Fill(zitadeltest.Synthetic{Events: 10_000, From: time.Now(), Every: 720 * time.Millisecond})
		time.Sleep(2*time.Hour - time.Minute)
		w.fail(half, "u")
		w.holdsFor(time.Minute)
		w.fail(half, "u")
		w.srv.SetFaults(zitadeltest.Faults{Latency: 600 * time.Millisecond}) // 60 s for all
		began := time.Now()
		w.holdsFor(time.Minute)
		if !slices.ContainsFunc(w.ids(), func(id string) bool { return strings.HasPrefix(id, "brute_force_user ") }) {
			t.Error("no alert")
		}
		s := w.log.String()
		_, s, _ = strings.Cut(s, "counts of correlations are too low")
		_, since, _ := strings.Cut(s, "complete_since=")
		since, _, _ = strings.Cut(since, " ")
		from, err := time.Parse(time.RFC3339, since)
		if err != nil {
			t.Fatal(err, s)
		}
		if ago := began.Sub(from); ago < 30*time.Minute || ago > 75*time.Minute {
			t.Errorf("complete since %s before, want about the half of two hours", ago)
		}
	})
}

// TestRecount_OfARuleOfManyDaysSaysThatItIsIncomplete: it counts what is read, which is bounded.
func TestRecount_OfARuleOfManyDaysSaysThatItIsIncomplete(t *testing.T) {
	spanned(t, func(w *world) {
		var err error
		if w.rules, err = detect.Load(fstest.MapFS{"r.yml": {Data: []byte(`
title: Wrong
id: w
name: wrong
logsource: {product: zitadel, service: audit}
detection: {a: {event.action: user.human.password.check.failed}, condition: a}
---
title: Slow
id: s
name: slow
level: low
correlation: {type: event_count, rules: [wrong], group-by: [user.id], timespan: 7d, condition: {gte: 10}}
`)}}); err != nil {
			t.Fatal(err)
		}
		w.holdsFor(time.Minute)
		w.want("slow")
		if s := w.log.String(); !strings.Contains(s, "a rule counts over 7d, and the last 48h are read") {
			t.Error(s)
		}
	})
}

// TestRecount_ABacklogIsNotReadForTheCounts: a holder that has just begun with a backlog of hours
// leaves a state that is as old as the backlog, and was written just now. Between the two nothing
// is acknowledged, so it is not read, and what is before is counted.
func TestRecount_ABacklogIsNotReadForTheCounts(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.options = map[string]string{"poll_interval": "5s", "page_size": "100", "start": "now"}
		w.holdsFor(time.Second)
		w.fail(half, "u")
		w.holdsFor(time.Minute)
		w.fail(half-1, "u")
		w.srv.Store().Fill(zitadeltest.Synthetic{Events: 25_000, From: time.Now(), Every: 720 * time.Millisecond})
		w.srv.Store().Append(event(time.Now().Add(8*time.Minute), "user", "u", "user.human.password.check.failed", "", "203.0.113.1"))
		time.Sleep(5 * time.Hour)
		w.srv.SetFaults(zitadeltest.Faults{Latency: 400 * time.Millisecond})
		w.holdsFor(8 * time.Second)
		if n := len(w.came); n <= 2*half || w.state.Updated.Sub(w.state.Watermark) < 4*time.Hour {
			t.Fatalf("%d events came, and the watermark is %s: no backlog", n, w.state.Watermark)
		}
		brute := func(id string) bool { return strings.HasPrefix(id, "brute_force_user ") }
		if slices.ContainsFunc(w.ids(), brute) {
			t.Fatal("it has read the whole attack")
		}
		w.holdsFor(time.Minute)
		if !slices.ContainsFunc(w.ids(), brute) {
			t.Error("no alert")
		}
		if s := w.log.String(); strings.Contains(s, "too low") {
			t.Error(s)
		}
	})
}

// TestRecount_WhatWasPushedBehindABacklogCounts: webhooks do not wait for what was written before.
func TestRecount_WhatWasPushedBehindABacklogCounts(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.options = map[string]string{"poll_interval": "5s"}
		w.fail(1, "other")
		w.holdsFor(time.Minute)
		time.Sleep(20 * time.Hour)
		began := time.Now()
		w.fail(2*half, "u")
		w.state.Updated = time.Now()
		for i := range 2*half - 1 {
			e := record.Event{Key: record.Key{Instance: "lab", AggregateType: "user", AggregateID: "u", Sequence: uint64(i + 1)}}
			w.came[e.ID()]++
			w.state.Pushed = append(w.state.Pushed, cursor.Pushed{AggregateType: "user", AggregateID: "u", Sequence: e.Sequence,
				Created: began.Add(time.Duration(i) * time.Second).UTC(), Type: "user.human.password.check.failed"})
		}
		w.holdsFor(time.Minute)
		w.want("brute_force_user")
		if n := len(w.came); n != 1+2*half {
			t.Errorf("%d events came", n)
		}
	})
}

// TestRecount_WebhooksAtAnEndBeforeTheCountsAreLeftToTheNextHolder: they come out at once, without
// alerts, because it is not known what the events before have counted. The next holder reads the
// events and gives the alerts.
func TestRecount_WebhooksAtAnEndBeforeTheCountsAreLeftToTheNextHolder(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		keys := t.TempDir()
		if err := os.WriteFile(filepath.Join(keys, "siem"), []byte("a-signing-key-of-a-target"), 0o600); err != nil {
			t.Fatal(err)
		}
		w.options = map[string]string{"poll_interval": "5s", "webhook_listen": "127.0.0.1:0", "webhook_keys_dir": keys, "spool_path": t.TempDir()}
		w.fail(half, "u")
		w.holdsFor(time.Minute)
		pushes := make(chan events.Push, half)
		ip := &structpb.Struct{Fields: map[string]*structpb.Value{"remoteIP": structpb.NewStringValue("203.0.113.1")}}
		for i := range half {
			pushes <- events.Push{Event: &eventpb.Event{
				Aggregate: &eventpb.Aggregate{Id: "u", Type: &eventpb.AggregateType{Type: "user"}, ResourceOwner: "org"},
				Type:      &eventpb.EventType{Type: "user.human.password.check.failed"}, Sequence: uint64(half + i + 1), CreationDate: timestamppb.Now(), Payload: ip,
			}}
			w.fail(1, "u")
		}
		close(pushes)
		s := w.open()
		s.pushes = pushes
		encode := encoder(s.Settings, s.opts.Format.Lines())
		err := s.readLast(w.t.Context(), func(_ context.Context, b pipe.Batch) error {
			for _, r := range b.Records {
				encode(nil, r)
				w.take(append([]record.Record{r}, s.detector.derived(r)...))
			}
			pending, err := b.State.Prepare()
			if err != nil {
				return err
			}
			return pending.Commit()
		})
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
		if n := len(w.came); n != 2*half {
			t.Errorf("%d events came", n)
		}
		w.want()
		w.holdsFor(time.Minute)
		w.want("brute_force_user")
	})
}
