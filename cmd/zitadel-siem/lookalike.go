package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// demoInstance is the label of the look-alike's events.
const demoInstance = "demo"

// lookAlike is an embedded ZITADEL that goes on writing.
type lookAlike struct {
	server *zitadeltest.Server
	store  *zitadeltest.Store
	ledger *ledger
	last   map[string]uint64 // sequence by aggregate
	log    *actionLog        // what its actions print

	cancel context.CancelFunc
	done   sync.WaitGroup
}

// loginEvery is how often somebody logs in whose login runs actions.
const loginEvery = time.Second

// startLookAlike fills the store with the recorded events, the newest of them
// a moment old, and begins to write: events, and the log at logPath.
func startLookAlike(l *ledger, rate float64, logPath string) (*lookAlike, error) {
	if rate <= 0 || rate > 1000 {
		return nil, fmt.Errorf("--rate %g: want more than 0 and at most 1000%w", rate, silent{errUsage})
	}
	a := &lookAlike{store: zitadeltest.NewStore(), ledger: l, last: map[string]uint64{}}
	recorded := zitadeltest.RecordedEvents(time.Now().Add(-time.Second))
	a.append(recorded)
	a.server = zitadeltest.NewServer(a.store, zitadeltest.Options{})
	if err := a.server.Start("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("the look-alike cannot listen on loopback: %w", err)
	}
	var err error
	if a.log, err = newActionLog(logPath, l); err != nil {
		return nil, errors.Join(err, a.server.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	a.done.Go(func() { a.write(ctx, transactions(recorded), rate) })
	a.done.Go(func() { a.log.run(ctx, loginEvery) })
	return a, nil
}

func (a *lookAlike) append(events []zitadeltest.Event) {
	for i := range events {
		e := &events[i]
		key := e.AggregateType + "/" + e.AggregateID
		if e.Sequence == 0 {
			e.Sequence = a.last[key] + 1
		}
		a.last[key] = max(a.last[key], e.Sequence)
		a.ledger.add(record.Key{Instance: demoInstance, AggregateType: e.AggregateType, AggregateID: e.AggregateID, Sequence: e.Sequence}.ID(), e.CreatedAt)
	}
	a.store.Append(events...)
}

// write repeats what users once did, as new events.
func (a *lookAlike) write(ctx context.Context, groups [][]zitadeltest.Event, rate float64) {
	tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer tick.Stop()
	// Neighbours in the recording are much alike; steps of a prime show more.
	for i := 0; ; i = (i + 101) % len(groups) {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			group := make([]zitadeltest.Event, len(groups[i]))
			for j, e := range groups[i] {
				e.Sequence, e.CreatedAt = 0, now
				group[j] = e
			}
			a.append(group)
		}
	}
}

// transactions returns the recorded groups of one creation date that are
// everyday life: small, and about users and their sessions.
func transactions(events []zitadeltest.Event) [][]zitadeltest.Event {
	var groups [][]zitadeltest.Event
	for first := 0; first < len(events); {
		end := first + 1
		everyday := isEveryday(events[first])
		for end < len(events) && events[end].CreatedAt.Equal(events[first].CreatedAt) {
			everyday = everyday && isEveryday(events[end])
			end++
		}
		if everyday && end-first <= 10 {
			groups = append(groups, events[first:end])
		}
		first = end
	}
	return groups
}

func isEveryday(e zitadeltest.Event) bool {
	switch e.AggregateType {
	case "user", "session", "auth_request", "oidc_session", "user_grant", "usergrant":
		return !strings.HasSuffix(e.Type, ".removed")
	}
	return false
}

// options are those of a reader of the look-alike. What the user gave stays.
func (a *lookAlike) options(dir string, given map[string]string) (map[string]string, error) {
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte(a.server.Token()+"\n"), 0o600); err != nil {
		return nil, err
	}
	values := map[string]string{
		"instance":      demoInstance,
		"poll_interval": "500ms", // a demo wants to be seen moving
		"settle":        "500ms",
	}
	for name, value := range given {
		values[name] = value
	}
	values["url"], values["token_file"] = a.server.URL(), token
	// Credentials of another instance are of no use here, and not to be sent.
	for _, name := range []string{"token", "key_file", "client_id", "client_secret_file"} {
		delete(values, name)
	}
	return values, nil
}

// stop ends the writing; the store can still be read.
func (a *lookAlike) stop() {
	a.cancel()
	a.done.Wait()
}

func (a *lookAlike) close() {
	a.stop()
	_ = a.log.file.Close()
	_ = a.server.Close() // the process ends; nothing is lost by an error here
}
