package sidecar

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Run runs all sources side by side until ctx ends, or until each has ended by
// itself. The error names the source.
func Run(ctx context.Context, sources []*Source) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(sources))
	var running sync.WaitGroup
	for i, s := range sources {
		running.Go(func() {
			err := s.Run(ctx)
			if final := (finalError{}); errors.As(err, &final) {
				cancel()
			}
			if err != nil && len(sources) > 1 {
				err = fmt.Errorf("source %q: %w", s.settings.Instance, err)
			}
			errs[i] = err
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// Close closes all of them.
func Close(sources []*Source) error {
	errs := make([]error, 0, len(sources))
	for _, s := range sources {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
