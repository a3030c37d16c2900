package output

import (
	"log/slog"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/fault"
	"github.com/zitadel-siem/zitadel-siem/internal/outage"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// reportEvery is the least time between two equal log messages.
const reportEvery = time.Minute

// Counts counts the records of chunks. Each record is counted in Records and in exactly
// one of Kinds, Parts, NoLine, Odd and Loops.
type Counts struct {
	Records     uint64
	Kinds       parser.Counts // lines by kind, wanted or not
	Parts       uint64        // parts of lines, except the last part of each line
	NoLine      uint64        // records without any of the line keys
	Odd         uint64        // values that are not records
	Loops       uint64        // records that this plugin made
	LeftOut     uint64        // records that the option tier leaves out
	Sent        uint64        // acknowledged
	Retries     uint64        // chunks that Fluent Bit sends again
	Undecodable uint64        // chunks with an undecodable rest
}

func (c *Counts) add(d Counts) {
	c.Records += d.Records
	c.Kinds.Add(d.Kinds)
	c.Parts += d.Parts
	c.NoLine += d.NoLine
	c.Odd += d.Odd
	c.Loops += d.Loops
	c.LeftOut += d.LeftOut
	c.Sent += d.Sent
	c.Undecodable += d.Undecodable
}

// attrs returns the counters for a log message. Zeros are left out, except for records
// and sent.
func (c *Counts) attrs() []any {
	attrs := []any{"records", c.Records, "sent", c.Sent}
	add := func(name string, n uint64) {
		if n > 0 {
			attrs = append(attrs, name, n)
		}
	}
	for kind, n := range c.Kinds {
		add(parser.Kind(kind).String(), n)
	}
	add("parts", c.Parts)
	add("without_line", c.NoLine)
	add("no_record", c.Odd)
	add("parsed_before", c.Loops)
	add("tier_left_out", c.LeftOut)
	add("retries", c.Retries)
	add("undecodable_chunks", c.Undecodable)
	return attrs
}

// stats are the counters of one flusher.
type stats struct {
	mu       sync.Mutex
	counts   Counts
	reported Counts
	began    time.Time // when the current interval of reports began
}

// add counts a chunk. The records of a chunk that is sent again are not counted until it
// succeeds.
func (s *stats) add(c Counts, result Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if result == Retry {
		s.counts.Retries++
		return
	}
	s.counts.add(c)
}

// report logs the counters, at most once a minute and only if they have changed.
func (s *stats) report(log *slog.Logger, now time.Time) {
	s.mu.Lock()
	counts := s.counts
	s.reported.Retries = counts.Retries // the reason of a retry has its own log message
	due := now.Sub(s.began) >= reportEvery && counts != s.reported
	if due {
		s.began, s.reported = now, counts
	}
	s.mu.Unlock()
	if due {
		log.Info("counts", counts.attrs()...)
	}
}

// Counts returns what was counted so far.
func (f *Flusher) Counts() Counts {
	f.stats.mu.Lock()
	defer f.stats.mu.Unlock()
	return f.stats.counts
}

// warnings logs each kind of problem at most once a minute.
type warnings struct {
	log      *slog.Logger
	panics   sync.Once
	failures outage.Log // of sending

	mu                sync.Mutex
	noLine, odd, loop pending
}

// pending is a number of records that is not logged yet.
type pending struct {
	n  uint64
	at time.Time // of the last log message
}

// add adds n and returns how many to log now, or 0.
func (p *pending) add(n uint64, now time.Time) (due uint64) {
	p.n += n
	if n == 0 || !p.at.IsZero() && now.Sub(p.at) < reportEvery {
		return 0
	}
	due, p.n, p.at = p.n, 0, now
	return due
}

// warn logs the records of a finished chunk that were not sent for a reason that the
// user may not want.
func (w *work) warn() {
	s, c, now := &w.warnings, &w.counts, w.opts.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.loop.add(c.Loops, now); n > 0 {
		s.log.Error("this output receives the records that it has made, and does not send them again: "+
			"set `tag_prefix: parsed.` on the forward input, or a `match` of this output that does not include them", "records", n, "tag", w.tag)
	}
	if n := s.noLine.add(c.NoLine, now); n > 0 {
		s.log.Warn("records without a line under any of `line_keys` are not sent: set `line_keys` to the key that holds ZITADEL's line, or a `match` that excludes other records",
			"records", n, "line_keys", w.opts.LineKeys, "tag", w.tag)
	}
	if n := s.odd.add(c.Odd, now); n > 0 {
		s.log.Warn("a chunk has values that are not records; they are not sent", "values", n, "tag", w.tag)
	}
}

// panicked logs the first panic of the parser, without the text of the line.
func (w *warnings) panicked(v any) {
	err := fault.Of(v)
	w.panics.Do(func() {
		w.log.Error("a line cannot be parsed, such lines become log.malformed: "+err.Error(), "stack", err.Stack)
	})
}

// failed logs that sending fails.
func (w *warnings) failed(err error) {
	if w.failures.Failed(err) {
		w.log.Warn(err.Error() + "; the records are kept and sent again (`retry_limit: no_limits` keeps them forever)")
	}
}

// worked ends an outage.
func (w *warnings) worked() {
	if _, ended := w.failures.Worked(); ended {
		w.log.Info("records are acknowledged again")
	}
}
