package enrich

import (
	"cmp"
	"slices"
	"time"
)

// leaving has the removed entries whose names are still returned, in the order in which the
// removals were learned. It also has the organisations and projects that are forgotten: their
// users and applications have no names any more.
type leaving struct {
	queue  []left
	owners map[owner]struct{}
	now    int64 // the youngest event seen, microseconds
	// forgotten is set while the file may hold names that are forgotten. rewritten is the
	// last time at which it held none.
	forgotten bool
	rewritten int64
}

type left struct {
	kind kind
	id   string
	at   int64
}

type owner struct {
	kind kind
	id   string
}

// These bounds are in entries: a removal of everything at once must not take all memory.
// Beyond them the oldest is dropped, which costs only names.
const (
	maxLeaving = 1 << 16
	maxOwners  = 1 << 16
)

func (l *leaving) add(e *entry) {
	l.queue = append(l.queue, left{e.kind, e.id, e.goneAt})
}

func (l *leaving) sort() {
	slices.SortFunc(l.queue, func(a, b left) int { return cmp.Compare(a.at, b.at) })
}

// owner remembers whether an organisation or a project is forgotten, and reports it.
func (l *leaving) owner(e *entry) (forgotten bool) {
	if e.kind != kindOrg && e.kind != kindProject {
		return false
	}
	o := owner{e.kind, e.id}
	if !e.forgotten {
		delete(l.owners, o)
		return false
	}
	if l.owners == nil {
		l.owners = make(map[owner]struct{})
	}
	if len(l.owners) >= maxOwners {
		for some := range l.owners {
			delete(l.owners, some)
			break
		}
	}
	l.owners[o] = struct{}{}
	return true
}

// owner remembers that it is forgotten, so that what belongs to it is forgotten too.
func (s *Store) owner(e *entry) {
	if s.leaving.owner(e) {
		s.epoch++
	}
}

// left reports whether e is forgotten with its organisation or project.
func (l *leaving) left(e *entry) bool {
	if len(l.owners) == 0 || e.kind >= kindSession || e.kind == kindProjectGrant {
		return false
	}
	for _, o := range [...]owner{{kindOrg, e.f[fOrg]}, {kindProject, e.f[fProject]}} {
		if o.id == "" {
			continue
		}
		if _, ok := l.owners[o]; ok {
			return true
		}
	}
	return false
}

// stale reports whether the file has held forgotten names for long.
func (l *leaving) stale() bool {
	return l.forgotten && l.now-l.rewritten > Day.Microseconds()
}

// tick gets the time of every event, and forgets what was removed long before. A removal at
// the same time as the event is never forgotten, whatever the clocks do: both belong to one
// transaction.
func (s *Store) tick(at time.Time) {
	l := &s.leaving
	now := at.UnixMicro()
	l.now = max(l.now, now)
	if len(l.queue) == 0 {
		return
	}
	due := l.now - Grace.Microseconds()
	kept := 0
	for _, q := range l.queue {
		if q.at == now || q.at >= due && len(l.queue) <= maxLeaving {
			break
		}
		kept++
		s.forget(q)
	}
	l.queue = l.queue[kept:]
	if len(l.queue) == 0 {
		l.queue = nil
	}
}

func (s *Store) forget(q left) {
	r, hash := s.address(q.kind, q.id)
	body, ok := r.get(s.key, hash)
	if !ok {
		return // evicted
	}
	e := &s.known
	if e.read(q.kind, q.id, body, s); e.gone == 0 || e.forgotten || e.goneAt != q.at {
		return
	}
	e.forget()
	s.put(r, hash, e)
	if slot := s.hot.get(s.hot.hash(q.kind, q.id), q.kind, q.id); slot != nil {
		slot.e.kind = 0
	}
	s.owner(e)
	s.leaving.forgotten = true
}
