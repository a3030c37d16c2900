package source

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/leaktest"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Everything that a source is made of, over a real listener and with a real state
// file, polling as fast as it can. Now and then there is something to read.
func TestManyPollsLeaveNothingBehind(t *testing.T) {
	for _, transport := range []string{zitadel.TransportGRPC, zitadel.TransportREST} {
		t.Run(transport, func(t *testing.T) {
			total := uint64(leaktest.Polls(t, 1500))
			store := zitadeltest.NewStore()
			srv := zitadeltest.NewServer(store, zitadeltest.Options{})
			if err := srv.Start("127.0.0.1:0"); err != nil {
				t.Fatal(err)
			}
			defer srv.Close()
			settings, _, err := config.Input.ParseMap(map[string]string{
				"url": srv.URL(), "token": srv.Token(), "instance": "lab", "transport": transport, "state_path": filepath.Join(t.TempDir(), "state"),
			}, config.ParseOptions{NeedState: true})
			if err != nil {
				t.Fatal(err)
			}
			// By hand: the least of these options is 100ms.
			settings.PollInterval, settings.Overlap, settings.Settle = time.Microsecond, 10*time.Millisecond, 0
			s, err := Open(t.Context(), settings, Options{Log: slog.New(slog.DiscardHandler), Encode: record.AppendMsgpack})
			if err != nil {
				t.Fatal(err)
			}
			p := s.Pipe
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				done <- s.Run(ctx, ctx, context.Background(), func(ctx context.Context) error { <-ctx.Done(); return nil })
			}()

			writer := zitadeltest.NewWriter(store, 1, nil)
			poll := func(upTo uint64) {
				for s.Reader.Calls.Load() < upTo {
					seen := s.Reader.Calls.Load()
					writer.Append(1)
					testkit.Until(t, "polls", func() bool {
						p.Drain(func(string, []byte, int) bool { return true })
						return s.Reader.Calls.Load() >= min(seen+50, upTo)
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
			t.Logf("%d polls in %v, %d events", s.Reader.Calls.Load(), time.Since(began).Round(time.Millisecond), p.Stats.Taken.Load())
			cancel()
			if err := errors.Join(<-done, s.Close()); err != nil {
				t.Error(err)
			}
			if p.Stats.Taken.Load() < total/100 || p.Stats.Restarts.Load() > 0 {
				t.Errorf("%d events, %d restarts", p.Stats.Taken.Load(), p.Stats.Restarts.Load())
			}
		})
	}
}
