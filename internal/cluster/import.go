package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

// Import writes the state of a file into a store that has none for the source, for the move
// from one machine to several. Stop the reader of the file before, and do not start it again. An
// error says what to do if the store has a state already or a member reads the source.
func Import(ctx context.Context, store Store, s cursor.State) error {
	if s.Instance == "" {
		return errors.New("the state names no instance: give the state file of a reader")
	}
	b, err := pack(s)
	if err != nil {
		return err
	}
	if err := store.Register(ctx, []string{s.Instance}); err != nil {
		return err
	}
	// Without sources, so that no member counts on this one.
	lease, err := store.Grant(ctx, DefaultTTL, Note{Name: "state import", Sources: "import"})
	if err != nil {
		return err
	}
	end := func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return store.Revoke(ctx, lease)
	}
	taken, err := store.Take(ctx, lease, s.Instance)
	switch {
	case errors.Is(err, ErrTaken):
		err = fmt.Errorf("source %q is being read by a member: stop the members first", s.Instance)
	case err == nil && taken.State != nil:
		err = fmt.Errorf("source %q has a state in the store already: nothing was written; delete it there if the one of the file is to count", s.Instance)
	case err == nil:
		err = store.Commit(ctx, lease, s.Instance, taken.Fence, taken.Number+1, b)
	}
	return errors.Join(err, end())
}
