// Package retry waits between two attempts: each wait is about twice as long as
// the one before, up to a limit. A random part keeps many processes that failed
// together from trying again together.
//
// When to give up is the caller's decision.
package retry

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Backoff gives the waits. It is for one goroutine.
type Backoff struct{ b backoff.ExponentialBackOff }

// New returns a Backoff whose first wait is at most first. No wait is longer
// than most. A wait is shortened by a random part, at most by half.
func New(first, most time.Duration) *Backoff {
	// The library randomizes around an interval: a third of 3/4 in both
	// directions gives 1/2 to 1.
	return &Backoff{backoff.ExponentialBackOff{
		InitialInterval:     first / 4 * 3,
		MaxInterval:         most / 4 * 3,
		Multiplier:          2,
		RandomizationFactor: 1.0 / 3,
	}}
}

// Next returns the next wait.
func (b *Backoff) Next() time.Duration { return b.b.NextBackOff() }

// Reset begins again with the first wait. Call it after a success.
func (b *Backoff) Reset() { b.b.Reset() }

// Wait waits for the next wait. Its error is that of ctx, if ctx ends first.
func (b *Backoff) Wait(ctx context.Context) error { return Sleep(ctx, b.Next()) }

// Sleep waits for d. Its error is that of ctx, if ctx ends first.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
