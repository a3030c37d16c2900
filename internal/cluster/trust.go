package cluster

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
)

// Whether a store is that of an old backup. Nothing in a store shows that it was restored: its
// identifiers survive a copy of the files or a snapshot of the disk, and those that change (the
// timeline of PostgreSQL) change with a failover too. So two things are evidence.
//
// The memory of a process. A beat that is lower than one that it has seen proves that the store
// went back, and the note of [Store.Alive], which members renew every stampEvery, tells how far.
//
// The age of that note, for a process that has seen nothing. It cannot tell a backup from a stop
// of all members that was as long. Both are the same to a source; only the backup makes
// events come out twice, at most as many as came in that time. So the age of the note is the bound on
// the harm, and Options.MaxAge limits it. It says nothing about one source: a source that fails
// for months, or that nobody lists, is no sign of a backup.
//
// The age alone refuses nothing before the process has watched it for a while. It is a difference of
// two clocks: of the store's before and after a correction, and in etcd of two members'. If it falls
// meanwhile, a member that trusts the store renews the note, and the clocks are what is wrong. A
// process that has used the store needs no age: what it has seen is newer.
//
// A refusal stands in the store. Else a restart, for example by a liveness probe, would be all
// that it takes to accept what was refused.

const (
	// stampEvery is how often Alive is noted, by one of the members.
	stampEvery = 10 * time.Second
	// tolerated is how much a store may lose with a warning alone: a failover of PostgreSQL to an
	// asynchronous replica loses what was not copied yet, most often less than a second.
	tolerated = time.Minute
	// quiet is the shortest stop of all members that is worth a warning: an update takes less.
	quiet = 5 * time.Minute
)

const twice = "events since then come out twice, with the same event.id"

// FixRefused says what to do about a store that went back: [View.Refused].
const FixRefused = "restore the newest backup, and the members go on; or start one of them with --accept-old-state: " + twice

// trust refuses a store that went back, for all members, and notes in any other that it is in use.
// at is a moment before the look that gave v. It is not sure while the age of the store has to be
// watched. Balancing alone calls it.
func (m *Member) trust(ctx context.Context, v View, at time.Time) (sure bool, err error) {
	ctx, cancel := m.limited(ctx)
	defer cancel()
	why, sure := m.wentBack(v, at)
	if !sure {
		return false, nil
	}
	switch {
	case m.o.AcceptOld && (why != "" || v.Refused != ""):
		m.o.Log.Warn("an old state of the store is accepted: events may come out twice, with the same event.id", "reason", cmp.Or(v.Refused, why))
		v.Refused, err = "", m.o.Store.Accept(ctx)
	case why != "":
		v.Refused, err = why, m.o.Store.Refuse(ctx, why)
	case v.Refused == "" && (v.Noted == 0 || v.Idle.Abs() >= stampEvery) && at.Sub(m.stamped) >= stampEvery:
		m.stamped, err = at, m.o.Store.Alive(ctx, v)
	}
	if err != nil {
		return false, err // and nothing is remembered: the next look shows the same
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if v.Refused == "" || m.store == v.Store {
		m.store, m.beat, m.looked, m.denied = v.Store, v.Beat, at, ""
	} else { // this process goes on with the one before, if the URL leads there again
		m.denied = v.Store
	}
	switch {
	case v.Refused == "" && m.back != nil:
		m.back = nil
		clear(m.seen) // of the store that is no more
		m.o.Log.Info("the store is accepted again: sources are taken")
	case v.Refused != "" && m.back == nil:
		m.back = fmt.Errorf("%w: %s; %s", ErrRefused, v.Refused, FixRefused)
		m.o.Log.Error("no source is taken", "err", m.back)
	}
	if m.back != nil {
		for _, w := range m.waiting {
			m.answer(w, nil, m.back)
		}
	}
	return true, nil
}

// wentBack tells why the store is taken for an old one; "" if it is not, or is refused already.
func (m *Member) wentBack(v View, at time.Time) (why string, sure bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case v.Refused != "":
	case m.store == "":
		return m.tooOld(v, at)
	case v.Store != m.store && v.Store == m.denied: // and it is not refused any more: somebody accepted it
	case v.Store != m.store:
		why = fmt.Sprintf("it is the store %s, and member %s has seen the store %s", v.Store, m.o.Name, m.store)
	case v.Beat < m.beat:
		// Somebody noted Alive just before the last look.
		if lost := v.Idle - at.Sub(m.looked); lost > tolerated {
			why = fmt.Sprintf("it shows beat %d, and member %s has seen %d: it lost %s", v.Beat, m.o.Name, m.beat, lost.Round(time.Second))
			break
		}
		m.o.Log.Warn("the store lost its last moments, as in a failover to a replica that was behind: "+twice, "at_most", tolerated)
	}
	return why, true
}

// tooOld is wentBack for a process that has not used the store yet. The caller has m.mu.
func (m *Member) tooOld(v View, at time.Time) (why string, sure bool) {
	if m.watched.IsZero() {
		m.watched = at
	}
	renewed := v.Idle < m.oldest
	m.oldest = max(m.oldest, v.Idle)
	switch {
	case v.Idle <= quiet:
	case renewed:
		m.o.Log.Warn("members use the store, and yet the last use looks old: correct the clock of this machine, or of the store", "for", v.Idle.Round(time.Second))
	case v.Idle <= m.o.MaxAge:
		m.o.Log.Warn("no member has used the store for a while: if it was restored from a backup, "+twice, "for", v.Idle.Round(time.Second), "sources", len(v.Free))
	case !m.o.AcceptOld && at.Sub(m.watched) < 2*stampEvery+m.o.TTL/5: // two notes, and three looks
		return "", false
	default:
		return fmt.Sprintf("no member has used it for %s, more than %s (if all members stood still for so long, nothing comes out twice)", terminal.Roughly(v.Idle), terminal.Roughly(m.o.MaxAge)), true
	}
	return "", true
}

// seen is the last commit to a source that this process knows of.
type seen struct {
	number uint64
	at     time.Time
	before uint64 // the one before it
}

func (m *Member) saw(instance string, number uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen[instance] = seen{number, m.o.now(), m.seen[instance].number}
}

// judge compares what was taken with what this process has seen of the source. If the store as a
// whole has not gone back, its operator did this: one state was deleted, or restored. The loss of one
// commit says nothing: a failover takes it within a moment, and a source that is idle commits so
// rarely that the one before is older than what is tolerated.
func (m *Member) judge(t Taken, instance string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, now := m.seen[instance], m.o.now()
	switch lost := t.Age - now.Sub(s.at); {
	case t.Number >= s.number:
	case t.State == nil:
		m.o.Log.Warn("the state of a source was deleted from the store: it is read again from `start`", "instance", instance)
	case lost <= tolerated || t.Number >= s.before || m.o.AcceptOld:
		m.o.Log.Warn("the store lost the last commits of a source: "+twice, "instance", instance, "for", lost.Round(time.Second))
	default:
		return fmt.Errorf("the store went back: it shows commit %d of source %q, this member has seen %d, %s later; %s", t.Number, instance, s.number, lost.Round(time.Second), FixRefused)
	}
	m.seen[instance] = seen{t.Number, now, t.Number}
	return nil
}
