package output

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/parser"
)

// reportEvery is how often the counters are logged, while they change.
const reportEvery = time.Minute

// Counts are of records that came in, except Sent. Each one is a line of a kind, a part,
// or one of NoLine, Odd and Loops.
type Counts struct {
	Records     uint64
	Kinds       parser.Counts // lines by kind, wanted or not
	Parts       uint64        // that were joined to other ones
	NoLine      uint64        // without any of the line keys
	Odd         uint64        // that are no records
	Loops       uint64        // that were parsed before
	LeftOut     uint64        // that the option tier leaves out
	Sent        uint64        // acknowledged
	Retries     uint64        // chunks that are to come again
	Undecodable uint64        // chunks
}

func (c *Counts) add(d Counts) {
	c.Records += d.Records
	for kind := range c.Kinds {
		c.Kinds[kind] += d.Kinds[kind]
	}
	c.Parts += d.Parts
	c.NoLine += d.NoLine
	c.Odd += d.Odd
	c.Loops += d.Loops
	c.LeftOut += d.LeftOut
	c.Sent += d.Sent
	c.Undecodable += d.Undecodable
}

// attrs leaves out what is zero, except the two that one looks for.
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
	began    time.Time // of the minute that is not reported yet
}

// add counts a chunk once: one that is to come again counts when it does.
func (s *stats) add(c Counts, result Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if result == Retry {
		s.counts.Retries++
		return
	}
	s.counts.add(c)
}

// report logs the counters, at most once a minute, and only new ones.
func (s *stats) report(log *slog.Logger, now time.Time) {
	s.mu.Lock()
	counts := s.counts
	s.reported.Retries = counts.Retries // alone they are no news: why is logged by itself
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

// warnings says each thing at most once a minute, while it goes on.
type warnings struct {
	log    *slog.Logger
	panics sync.Once

	mu                sync.Mutex
	noLine, odd, loop news
	failure           string
	at                time.Time
}

// news is a number of records that is not told yet.
type news struct {
	n  uint64
	at time.Time // of the last telling
}

// more returns how many are to be told now.
func (s *news) more(n uint64, now time.Time) (told uint64) {
	s.n += n
	if n == 0 || !s.at.IsZero() && now.Sub(s.at) < reportEvery {
		return 0
	}
	told, s.n, s.at = s.n, 0, now
	return told
}

// warn tells which records of a chunk that is done were not sent, but for kinds that
// nobody wants.
func (w *work) warn() {
	s, c, now := &w.warnings, &w.counts, w.opts.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.loop.more(c.Loops, now); n > 0 {
		s.log.Error("records that this output made come back to it, they are not sent again: "+
			"set `tag_prefix: parsed.` on the forward input, or a `match` of this output that does not take them", "records", n, "tag", w.tag)
	}
	if n := s.noLine.more(c.NoLine, now); n > 0 {
		s.log.Warn("records without a line under any of `line_keys` are not sent: name the key that holds ZITADEL's line, or a `match` that takes no others",
			"records", n, "line_keys", w.opts.LineKeys, "tag", w.tag)
	}
	if n := s.odd.more(c.Odd, now); n > 0 {
		s.log.Warn("values that are no records stand in a chunk and are not sent", "values", n, "tag", w.tag)
	}
}

// panicked tells of a line that could not be parsed, without its text.
func (w *warnings) panicked(v any) {
	w.panics.Do(func() {
		w.log.Error(fmt.Sprintf("panic of type %T while a line was parsed, please report it: such lines become log.malformed", v), "stack", string(debug.Stack()))
	})
}

// failed logs that sending fails. Each chunk is tried again and again: the same
// words come once a minute.
func (w *warnings) failed(err error, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if text := err.Error(); text != w.failure || now.Sub(w.at) >= reportEvery {
		w.failure, w.at = text, now
		w.log.Warn(text + "; the records are kept and come again (`retry_limit: no_limits` keeps them for ever)")
	}
}

func (w *warnings) worked() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failure != "" {
		w.failure = ""
		w.log.Info("records are acknowledged again")
	}
}
