package events

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
)

// twoClocks is a client whose answers show ZITADEL's clock, beside this
// machine's. Both can be moved.
type twoClocks struct {
	Client
	w *world

	mu              sync.Mutex
	server, machine time.Duration // how far each is off
	seen, local     time.Time     // with the last answer
}

func (c *twoClocks) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.w.now().Add(c.machine)
}

func (c *twoClocks) move(server, machine time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.server, c.machine = server, machine
}

func (c *twoClocks) ListEvents(ctx context.Context, r *adminpb.ListEventsRequest) ([]*eventpb.Event, error) {
	page, err := c.Client.ListEvents(ctx, r)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen, c.local = c.w.now().Add(c.server), c.w.now().Add(c.machine)
	return page, err
}

func (c *twoClocks) ServerTime() (server, local time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen, c.local, !c.seen.IsZero()
}

// A clock that was behind for a moment holds nothing up for longer, though
// meanwhile there is nothing to ask.
func TestClockSetBackHoldsReadingUpOnlyWhileItIsBehind(t *testing.T) {
	for name, back := range map[string]struct{ server, machine time.Duration }{
		"zitadel's":     {server: -time.Hour},
		"the machine's": {machine: -time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				c := &twoClocks{Client: w.client, w: w}
				r, err := NewReader(c, w.settings, w.state, Options{Log: slog.New(slog.NewTextHandler(&w.log, nil)), Now: c.now})
				if err != nil {
					t.Fatal(err)
				}
				stop := w.run(r)
				write := func() {
					for range 30 {
						w.add(w.now(), 1)
						time.Sleep(time.Second)
					}
				}
				write()
				c.move(back.server, back.machine)
				write()
				// ZITADEL's clock is right again. That of the machine stays where
				// it is: the answers say by how much it is wrong.
				c.move(0, back.machine)
				write()
				time.Sleep(time.Minute)
				stop()
				w.wantAll()
			})
		})
	}
}
