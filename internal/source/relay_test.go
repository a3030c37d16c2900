package source

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"time"

	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/detect"
	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// The way of a relay to the sink leads through the same redaction, also if the spool had a
// secret. Beside what was pushed nothing comes: no heartbeat, no alert, and no request to ZITADEL.
func TestRelay_RedactsAndEmitsNothingElse(t *testing.T) {
	const secret = "$2a$14$abcdefghijklmnopqrstuuJ5Gm1Ih9kxlBJAUyBBSBtHgZBdZ9m1e"
	settings, _, err := config.Input.ParseMap(map[string]string{
		"url": "http://127.0.0.1:1", "token": "a-token", "instance": "lab", "format": "ecs", "tier": "noise", "heartbeat": "1s", "enrich": "on",
	}, config.ParseOptions{Shared: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), settings, Options{Log: slog.New(slog.DiscardHandler), Relay: true, Detect: &Detection{Rules: new(detect.Set)}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	payload, err := structpb.NewStruct(map[string]any{"encodedHash": secret, "userName": "somebody"})
	if err != nil {
		t.Fatal(err)
	}
	pushes := make(chan events.Push, 1)
	acknowledged := make(chan struct{})
	pushes <- events.Push{Done: func() { close(acknowledged) }, Event: &eventpb.Event{
		Aggregate: &eventpb.Aggregate{Id: "1", Type: &eventpb.AggregateType{Type: "user"}, ResourceOwner: "org"},
		Type:      &eventpb.EventType{Type: "user.human.password.changed"}, Sequence: 1, CreationDate: timestamppb.Now(), Payload: payload,
	}}
	s.pushes = pushes
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- s.Run(ctx, ctx, context.Background(), func(ctx context.Context) error { <-ctx.Done(); return nil })
	}()
	began := time.Now()
	var out []byte
	records := 0
	testkit.Until(t, "the record, and two intervals of the heartbeat", func() bool {
		s.Pipe.Drain(func(_ string, data []byte, n int) bool { out, records = append(out, data...), records+n; return true })
		select {
		case <-acknowledged:
			return time.Since(began) > 2*time.Second
		default:
			return false
		}
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if bytes.Contains(out, []byte(secret)) || !bytes.Contains(out, []byte("somebody")) || records != 1 {
		t.Errorf("%d records: %q", records, out)
	}
	if n := s.Reader.Calls.Load(); n != 0 {
		t.Errorf("%d requests to ZITADEL", n)
	}
}
