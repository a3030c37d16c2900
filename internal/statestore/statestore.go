// Package statestore is what commands do with a store of states beside reading sources:
// they look at it, and move states between it and files.
package statestore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
)

// Within bounds what a command waits for a store: a connection attempt ends after 5 s, and a
// store of several hosts has several.
const Within = 20 * time.Second

// Holdings are who holds what, as the store sees it.
type Holdings struct {
	Members []cluster.MemberStatus // sorted by name
	Nobody  []string               // sources that the store knows and nobody holds, sorted
	Refused string                 // why members take no source from it: it went back
	Idle    time.Duration          // for how long no member has used it; 0 if none has ever
}

// Look asks the store who holds what.
func Look(ctx context.Context, store cluster.Store) (Holdings, error) {
	view, err := store.Look(ctx)
	if err != nil {
		return Holdings{}, err
	}
	holders, err := store.Holders(ctx)
	slices.Sort(view.Free)
	return Holdings{cluster.Members(view, holders), view.Free, view.Refused, view.Idle}, err
}

// Explain adds what to do to an error of a store.
func Explain(err error) error {
	if err == nil {
		return nil
	}
	if fix := Fix(err); fix != "" {
		return fmt.Errorf("%w; %s", err, fix)
	}
	return err
}

// Close closes a store, and does not wait for one that hangs: the client of PostgreSQL waits
// for the answers of requests that it has given up, and a process is to end within 10 s.
func Close(store cluster.Store) {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		store.Close()
	}()
	select {
	case <-closed:
	case <-time.After(time.Second):
	}
}
