package zitadeltest

import "sync/atomic"

// Count has the counters of one method.
type Count struct {
	Calls  int64 // requests that reached the method, failed ones too
	Failed int64 // of these, the ones that got no page
	Events int64 // events answered
	Bytes  int64 // protobuf bytes answered
	Rows   int64 // rows that a real database would have read
}

type counter struct{ calls, failed, events, bytes, rows atomic.Int64 }

func (c *counter) count() Count {
	return Count{
		Calls: c.calls.Load(), Failed: c.failed.Load(), Events: c.events.Load(),
		Bytes: c.bytes.Load(), Rows: c.rows.Load(),
	}
}

func (c *counter) reset() {
	for _, v := range []*atomic.Int64{&c.calls, &c.failed, &c.events, &c.bytes, &c.rows} {
		v.Store(0)
	}
}

// Count returns the counters of "ListEvents", "ListEventTypes" or
// "ListAggregateTypes".
func (s *Server) Count(method string) Count {
	if c, ok := s.counters[method]; ok {
		return c.count()
	}
	return Count{}
}

// Requests counts everything that came in over HTTP, refused requests too.
func (s *Server) Requests() int64 { return s.requests.Load() }

// Tokens counts the tokens that the token endpoint issued.
func (s *Server) Tokens() int64 { return s.issued.Load() }

// ResetCounts sets all counters to zero.
func (s *Server) ResetCounts() {
	for _, c := range s.counters {
		c.reset()
	}
	s.requests.Store(0)
	s.issued.Store(0)
}
