// Package statestore is what commands do with a store of states beside reading sources:
// they look at it, and move states between it and files.
package statestore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/stores"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// Within bounds what a command waits for a store: a connection attempt ends after 5 s, and a
// store of several hosts has several.
const Within = 20 * time.Second

// URLError is an error of the URL or of the files that it names, before any connection.
type URLError struct{ err error }

func (e *URLError) Error() string { return e.err.Error() }
func (e *URLError) Unwrap() error { return e.err }

// Open opens a store without a connection yet: see [stores.New].
func Open(s config.SharedState) (cluster.Store, error) {
	store, err := stores.New(s.URL.Reveal())
	if err != nil {
		return nil, &URLError{err}
	}
	return store, nil
}

// Holdings are who holds what, as the store sees it.
type Holdings struct {
	Members []cluster.MemberStatus // sorted by name
	Nobody  []string               // sources that the store knows and nobody holds, sorted
}

// Look asks the store who holds what.
func Look(ctx context.Context, store cluster.Store) (Holdings, error) {
	members, err := cluster.Members(ctx, store)
	if err != nil {
		return Holdings{}, err
	}
	view, err := store.Look(ctx)
	slices.Sort(view.Free)
	return Holdings{members, view.Free}, err
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
