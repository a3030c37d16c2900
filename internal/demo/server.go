package demo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// demoInstance is the instance of the fake server's events.
const demoInstance = "demo"

// fakeServer is a fake ZITADEL server that adds events all the time.
type fakeServer struct {
	server *zitadeltest.Server
	store  *zitadeltest.Store
	ledger *ledger
	last   map[string]uint64 // sequence by aggregate
	log    *actionLog        // the output of its actions

	cancel context.CancelFunc
	done   sync.WaitGroup
}

// loginEvery is the time between two logins that run actions.
const loginEvery = time.Second

// startFakeServer fills the store with the recorded events, the newest of them one
// second old, and starts to write events and the log at logPath.
func startFakeServer(l *ledger, rate float64, logPath string) (*fakeServer, error) {
	if rate <= 0 || rate > 1000 {
		return nil, fmt.Errorf("%w: --rate %g: use more than 0 and at most 1000", ErrUsage, rate)
	}
	s := &fakeServer{store: zitadeltest.NewStore(), ledger: l, last: map[string]uint64{}}
	s.append(zitadeltest.RecordedEvents(time.Now().Add(-time.Second)))
	s.server = zitadeltest.NewServer(s.store, zitadeltest.Options{})
	if err := s.server.Start("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("the fake ZITADEL server cannot listen on loopback: %w", err)
	}
	var err error
	if s.log, err = newActionLog(logPath, l); err != nil {
		return nil, errors.Join(err, s.server.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.done.Go(func() { s.write(ctx, rate) })
	s.done.Go(func() { s.log.run(ctx, loginEvery) })
	return s, nil
}

func (s *fakeServer) append(events []zitadeltest.Event) {
	for i := range events {
		e := &events[i]
		key := e.AggregateType + "/" + e.AggregateID
		if e.Sequence == 0 {
			e.Sequence = s.last[key] + 1
		}
		s.last[key] = max(s.last[key], e.Sequence)
		s.ledger.add(record.Key{Instance: demoInstance, AggregateType: e.AggregateType, AggregateID: e.AggregateID, Sequence: e.Sequence}.ID(), e.CreatedAt)
	}
	s.store.Append(events...)
}

// write adds copies of recorded transactions as new events.
func (s *fakeServer) write(ctx context.Context, rate float64) {
	tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer tick.Stop()
	writer := zitadeltest.NewWriter(s.store, 1, nil)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			events := writer.Next()
			for slices.ContainsFunc(events, isRare) {
				events = writer.Next()
			}
			s.append(events)
		}
	}
}

// isRare reports that an event does not happen every day.
func isRare(e zitadeltest.Event) bool {
	everyday := []string{"user", "session", "auth_request", "oidc_session", "user_grant", "usergrant"}
	return !slices.Contains(everyday, e.AggregateType) || strings.HasSuffix(e.Type, ".removed")
}

// options are those of a reader of the fake server. What the user gave stays.
func (s *fakeServer) options(dir string, given map[string]string) (map[string]string, error) {
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte(s.server.Token()+"\n"), 0o600); err != nil {
		return nil, err
	}
	values := map[string]string{
		"instance":      demoInstance,
		"poll_interval": "500ms", // so that the demo moves
		"settle":        "500ms",
	}
	maps.Copy(values, given)
	values["url"], values["token_file"] = s.server.URL(), token
	// Credentials of another instance must not be sent here.
	for _, name := range []string{"token", "key_file", "client_id", "client_secret_file"} {
		delete(values, name)
	}
	return values, nil
}

// stop ends the writing; the store can still be read.
func (s *fakeServer) stop() {
	s.cancel()
	s.done.Wait()
}

func (s *fakeServer) close() {
	s.stop()
	_ = s.log.file.Close()
	_ = s.server.Close() // the process ends: an error here loses nothing
}
