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

// Counts are of records that came in, except Sent.
type Counts struct {
	Records     uint64
	Kinds       parser.Counts // lines by kind, wanted or not
	Parts       uint64        // that were joined to whole lines
	NoLine      uint64        // without any of the line keys
	Odd         uint64        // that are no records
	Loops       uint64        // that were parsed before
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

// warnings says each thing once, and that sending fails once a minute.
type warnings struct {
	log    *slog.Logger
	noLine sync.Once
	loop   sync.Once
	panics sync.Once

	mu      sync.Mutex
	failure string
	at      time.Time
}

// warn tells what is odd about all of a chunk.
func (w *work) warn() {
	c := &w.counts
	if c.Loops > 0 {
		w.warnings.loop.Do(func() {
			w.opts.Log.Error("records that this output made come back to it, they are not sent again: " +
				"set `tag_prefix: parsed.` on the forward input, or a `match` of this output that does not take them")
		})
	}
	if c.NoLine > 0 && c.NoLine == c.Records {
		w.warnings.noLine.Do(func() {
			w.opts.Log.Warn("no record of a chunk has a line under any of `line_keys`, nothing of it is sent: "+
				"name the key that holds ZITADEL's line", "line_keys", w.opts.LineKeys, "tag", w.tag)
		})
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
