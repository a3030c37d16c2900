package input

import (
	"context"
	"log/slog"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/leaktest"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// counting counts the polls of a quiet log: each is one question.
type counting struct {
	*zitadel.Client
	asked atomic.Int64
}

func (c *counting) ListEvents(ctx context.Context, req *adminpb.ListEventsRequest) ([]*eventpb.Event, error) {
	c.asked.Add(1)
	return c.Client.ListEvents(ctx, req)
}

// Everything that an input is made of, over a real listener and with a real state
// file, polling as fast as it can. Now and then there is something to read.
func TestManyPollsLeaveNothingBehind(t *testing.T) {
	for _, transport := range []string{zitadel.TransportGRPC, zitadel.TransportREST} {
		t.Run(transport, func(t *testing.T) {
			total := int64(leaktest.Polls(t, 1500))
			store := zitadeltest.NewStore()
			srv := zitadeltest.NewServer(store, zitadeltest.Options{})
			if err := srv.Start("127.0.0.1:0"); err != nil {
				t.Fatal(err)
			}
			defer srv.Close()
			at, err := url.Parse(srv.URL())
			if err != nil {
				t.Fatal(err)
			}
			silent := slog.New(slog.DiscardHandler)
			client, err := zitadel.New(t.Context(), config.Settings{URL: at, Transport: transport, Token: config.Secret(srv.Token()), RequestTimeout: time.Minute}, zitadel.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			file, state, err := openState(filepath.Join(t.TempDir(), "state"), "lab", 1)
			if err != nil {
				t.Fatal(err)
			}
			c := &counting{Client: client}
			settings := config.Settings{
				Instance: "lab", Start: config.Start{Beginning: true}, PageSize: 1000,
				TagBy: "none", Redact: true, BufferSize: 16_000_000,
				PollInterval: time.Microsecond, Overlap: 10 * time.Millisecond, // by hand: the least of the option is 100ms
			}
			p := NewPipe(OptionsOf(settings, c, nil, silent, nil))
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { defer close(done); p.Run(ctx, file, state) }()

			writer := zitadeltest.NewWriter(store, 1, nil)
			poll := func(upTo int64) {
				for c.asked.Load() < upTo {
					seen := c.asked.Load()
					writer.Append(1)
					eventually(t, "polls", func() bool {
						p.Drain(func(string, []byte, int) bool { return true })
						return c.asked.Load() >= min(seen+50, upTo)
					})
				}
			}
			began := time.Now()
			poll(total / 10)
			warm := leaktest.Self(t)
			poll(total)
			// The events that were written stay in the look-alike, in this process.
			stored := store.Len() >> 1 // half a KiB each
			leaktest.WantLevel(t, warm, leaktest.Usage{Descriptors: 1, Tasks: 2, KiB: 512 + stored}, func() leaktest.Usage { return leaktest.Self(t) })
			t.Logf("%d polls in %v, %d events", c.asked.Load(), time.Since(began).Round(time.Millisecond), p.Stats.Taken.Load())
			cancel()
			if err := p.Close(context.Background()); err != nil {
				t.Error(err)
			}
			<-done
			if err := file.Close(); err != nil {
				t.Error(err)
			}
			if p.Stats.Taken.Load() < uint64(total/100) || p.Stats.Restarts.Load() > 0 {
				t.Errorf("%d events, %d restarts", p.Stats.Taken.Load(), p.Stats.Restarts.Load())
			}
		})
	}
}
