package zitadeltest

import (
	"context"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/protobuf/proto"
)

// MaxMessage is the largest answer that ZITADEL sends, in bytes.
const MaxMessage = 10 << 20

// Faults are what is wrong with a server. The zero value is a healthy server.
// Change them at any time with [Server.Update] or [Server.SetFaults]; a request
// that has begun may still see the old ones.
type Faults struct {
	DatabaseDown bool // 13 / 500
	Starting     bool // 14 / 503: the first second after a start
	Blocked      bool // 8 / 429: the instance is blocked

	// QuotaOn counts authenticated requests down from QuotaLeft; at 0 they get
	// 8 / 429.
	QuotaOn   bool
	QuotaLeft int

	// Retention silently hides events that are older.
	Retention time.Duration
	// MaxMessage is the largest answer in bytes; 0 means [MaxMessage].
	MaxMessage int

	// Latency is added to every request, PerRow for every row that a real
	// database reads for it.
	Latency time.Duration
	PerRow  time.Duration

	// RateLimit is the number of requests per second after which a proxy answers
	// 429, as in ZITADEL Cloud (50); 0 is no limit. RetryAfter, if set, is sent in
	// whole seconds.
	RateLimit  float64
	RetryAfter time.Duration

	// CutAnswers is how many answers are cut by closing their connection after
	// CutAfter bytes of the body; -1 cuts all. No effect on Direct.
	CutAnswers int
	CutAfter   int

	// BeforeQuery runs when a request has passed all checks, BeforeAnswer when
	// its answer is ready. An error is sent instead of the answer: a gRPC status
	// as it is, any other as code 13. They may change the store and the faults.
	BeforeQuery  func(ctx context.Context, method string, req proto.Message) error
	BeforeAnswer func(ctx context.Context, method string, req, resp proto.Message) error
}

// Update changes the faults.
func (s *Server) Update(change func(*Faults)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.faults)
	if s.faults.RateLimit <= 0 {
		s.limiter = nil
	} else if limit := rate.Limit(s.faults.RateLimit); s.limiter == nil || s.limiter.Limit() != limit {
		s.limiter = rate.NewLimiter(limit, max(1, int(s.faults.RateLimit)))
	}
}

// SetFaults replaces all faults; SetFaults(Faults{}) heals the server.
func (s *Server) SetFaults(f Faults) { s.Update(func(old *Faults) { *old = f }) }

// Faults returns the current faults.
func (s *Server) Faults() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults
}

// throttled counts a request against the rate limit.
func (s *Server) throttled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limiter != nil && !s.limiter.AllowN(s.now(), 1)
}

// quotaExhausted counts a request against the quota.
func (s *Server) quotaExhausted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.faults.QuotaOn {
		return false
	}
	if s.faults.QuotaLeft <= 0 {
		return true
	}
	s.faults.QuotaLeft--
	return false
}

// cut reports whether this answer is cut, and after how many bytes.
func (s *Server) cut() (after int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.CutAnswers == 0 {
		return 0, false
	}
	if s.faults.CutAnswers > 0 {
		s.faults.CutAnswers--
	}
	return s.faults.CutAfter, true
}

// pause waits, or returns the context's error.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
