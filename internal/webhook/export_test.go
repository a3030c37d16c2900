package webhook

import (
	"cmp"
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// The limits of a request, and the header of V1.
const (
	MaxBody  = maxBody
	MaxConns = maxConns
	V1Header = v1Header
)

// Options are what a test may set of an endpoint.
type Options struct {
	config.ListenSettings
	JWKS     func(context.Context) ([]byte, error)
	MaxConns int
	Spool    Spool
	Log      *slog.Logger
	Now      func() time.Time
}

// NewWith makes an endpoint with a clock, a source of JWKS and limits of a test.
func NewWith(o Options) (*Endpoint, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	e, err := newEndpoint(o.ListenSettings, o.JWKS, o.Spool, o.Log, o.Now)
	if err != nil {
		return nil, err
	}
	e.maxConns = cmp.Or(o.MaxConns, maxConns)
	return e, nil
}

// KeysOf fetches the keys of an instance.
func KeysOf(s config.Settings) (func(context.Context) ([]byte, error), error) { return keysOf(s) }

// SetTimes shortens timeouts.
func (e *Endpoint) SetTimes(header, body, report time.Duration) {
	e.headerTimeout, e.bodyTimeout, e.reportEvery = header, body, report
}

// SetArrivalTimeout says how long a request may arrive at the end.
func (e *Endpoint) SetArrivalTimeout(d time.Duration) { e.arrivalTimeout = d }

// SetBudget limits the bodies in memory, and BudgetUsed is what they take.
func (e *Endpoint) SetBudget(n int64) { e.budget.max = n }
func (e *Endpoint) BudgetUsed() int64 { return atomic.LoadInt64(&e.budget.used) }

// Connections is how many connections failed before there was a request.
func (s *Stats) Connections() uint64 { return s.broken.Load() }
