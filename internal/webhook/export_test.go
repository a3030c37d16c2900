package webhook

import (
	"sync/atomic"
	"time"
)

// SetTimes makes slow things short.
func (e *Endpoint) SetTimes(header, body, tell time.Duration) {
	e.headerTimeout, e.bodyTimeout, e.tellEvery = header, body, tell
}

// SetBudget bounds the bodies in memory, and BudgetUsed is what they take.
func (e *Endpoint) SetBudget(n int64) { e.budget.max = n }
func (e *Endpoint) BudgetUsed() int64 { return atomic.LoadInt64(&e.budget.used) }

// Connections is how many connections failed before there was a request.
func (s *Stats) Connections() uint64 { return s.broken.Load() }
