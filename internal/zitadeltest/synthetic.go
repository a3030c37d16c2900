package zitadeltest

import (
	"strconv"
	"time"
)

// Synthetic describes a large log of uniform events.
type Synthetic struct {
	Events int
	// From is the creation date of the first transaction, Every the time between
	// two of them; default 1 ms.
	From  time.Time
	Every time.Duration
	// PerTransaction events share one creation date; default 1.
	PerTransaction int
}

// Fill appends synthetic events. They share the payloads of recorded events, so that
// 1,000,000 need about 80 MB and 2 seconds. Event i is the same in every run.
func (s *Store) Fill(f Synthetic) {
	if f.Every == 0 {
		f.Every = time.Millisecond
	}
	f.PerTransaction = max(f.PerTransaction, 1)
	const perAggregate = 10
	shapes := syntheticShapes()
	const batch = 4096
	events := make([]Event, 0, batch)
	for i := range f.Events {
		transaction := i / f.PerTransaction
		e := shapes[i%len(shapes)]
		e.AggregateID = "6" + strconv.FormatInt(1e17+int64(i/perAggregate), 10)
		e.CreatedAt = f.From.Add(time.Duration(transaction) * f.Every)
		events = append(events, e)
		if len(events) >= batch && (i+1)%f.PerTransaction == 0 {
			s.Append(events...)
			events = events[:0]
		}
	}
	s.Append(events...)
}

// syntheticShapes are recorded events of users, one of each type.
func syntheticShapes() []Event {
	var shapes []Event
	seen := map[string]bool{}
	for _, e := range RecordedEvents(time.Time{}) {
		if e.AggregateType == "user" && !seen[e.Type] {
			seen[e.Type] = true
			e.Sequence = 0
			shapes = append(shapes, e)
		}
	}
	return shapes
}
