package sidecar

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/page"
)

// memberHealth is the line of /health about the store that processes share.
type memberHealth struct {
	Member  string `json:"member"`
	Well    bool   `json:"well"`
	Problem string `json:"problem,omitempty"`
	Held    int    `json:"sources_held"`
	Waiting int    `json:"sources_waiting"` // other members hold them, or nobody does
}

// memberStatus is that of the member. Every source that is not held waits, also between two
// attempts to open it, and while the store is refused: an alert counts them.
func (s *Set) memberStatus() cluster.Status {
	status := s.member.Status()
	s.mu.Lock()
	defer s.mu.Unlock()
	status.Waiting = max(0, len(s.keepers)-len(status.Held))
	return status
}

// away is why the store cannot be used now; empty: it can be, or the process has just begun.
func away(s cluster.Status) string {
	switch {
	case s.Err != nil && s.Since.IsZero():
		return fmt.Sprintf("no source is read: %v", s.Err) // the store went back
	case s.Err != nil && !s.Met:
		return fmt.Sprintf("the store of the states could not be used since the start of this process, so nothing is read: %v", s.Err)
	case s.Err == nil:
		return ""
	case s.Certain:
		return fmt.Sprintf("the store of the states cannot be used; reading goes on for %s, and waits then: %v", s.Until.Round(time.Second), s.Err)
	default:
		return fmt.Sprintf("the store of the states cannot be used, so reading waits: %v", s.Err)
	}
}

// healthOf is unhealthy from the start until the store has granted the first lease, so that a
// rollout with a wrong password of the store stops at the first new process. Later, the store
// has the time of an outage.
func healthOf(s cluster.Status, now time.Time) memberHealth {
	h := memberHealth{Member: s.Name, Well: s.Met, Held: len(s.Held), Waiting: s.Waiting, Problem: away(s)}
	switch {
	case s.Met && h.Problem != "":
		h.Well = now.Sub(s.Since) <= unhealthyAfter
	case !s.Met && h.Problem == "":
		h.Problem = "the store of the states has not answered yet since the start of this process"
	}
	return h
}

// shared is what is wrong with the store.
func (s *Set) shared() []page.Problem {
	if s.member == nil {
		return nil
	}
	status := s.member.Status()
	what := away(status)
	if what == "" {
		return nil
	}
	level, fix := page.Failing, "Repair the store that the setting state names, or the network to it. Nothing is lost, and no restart is needed."
	switch {
	case status.Since.IsZero():
		fix = "Do what the message says. The other members need no restart."
	case status.Certain:
		level = page.Warning
	}
	return []page.Problem{{Level: level, Since: status.Since, What: sentence(what, ""), Fix: fix}}
}

var (
	sourcesHeld    = prometheus.NewDesc(metricPrefix+"sources_held", "sources that this process reads, of those that it shares with others", nil, nil)
	sourcesWaiting = prometheus.NewDesc(metricPrefix+"sources_waiting", "sources that another process reads, or none does", nil, nil)
	leaseSeconds   = prometheus.NewDesc(metricPrefix+"lease_seconds", "how long this process may certainly read what it holds without an answer of the store", nil, nil)
)

// membership gives Prometheus what a process has of the sources that it shares.
type membership struct{ set *Set }

// Describe implements [prometheus.Collector].
func (membership) Describe(to chan<- *prometheus.Desc) {
	to <- sourcesHeld
	to <- sourcesWaiting
	to <- leaseSeconds
}

// Collect implements [prometheus.Collector].
func (m membership) Collect(to chan<- prometheus.Metric) {
	s := m.set.memberStatus()
	to <- prometheus.MustNewConstMetric(sourcesHeld, prometheus.GaugeValue, float64(len(s.Held)))
	to <- prometheus.MustNewConstMetric(sourcesWaiting, prometheus.GaugeValue, float64(s.Waiting))
	to <- prometheus.MustNewConstMetric(leaseSeconds, prometheus.GaugeValue, max(0, s.Until.Seconds()))
}
