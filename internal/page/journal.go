package page

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// kept is how many messages and alerts are remembered.
const kept = 20

// last is a ring of the last values.
type last[T any] struct {
	mu   sync.Mutex
	list [kept]T
	n    int
}

func (l *last[T]) add(v T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list[l.n%kept] = v
	l.n++
}

// newestFirst returns a copy.
func (l *last[T]) newestFirst() (list []T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := l.n - 1; i >= max(0, l.n-kept); i-- {
		list = append(list, l.list[i%kept])
	}
	return list
}

// Alert is what a rule found.
type Alert struct {
	At       time.Time
	Instance string
	Severity string // as the rule names it: informational to critical
	Rule     string // title
	Who      string // did it: a name, an id, or a pseudonym of either; empty: not known
	Whom     string // it was done to, if somebody else
	From     string // address
	Events   int    // that led to it
}

// Alerts remembers the last alerts. Its zero value is ready for use.
type Alerts struct{ last[Alert] }

// Add is safe for concurrent use. Texts are cut, and copied. Characters that could make a
// name look like another text, such as those that turn the direction of reading, are replaced.
func (a *Alerts) Add(alert Alert) {
	for _, s := range []*string{&alert.Instance, &alert.Severity, &alert.Rule, &alert.Who, &alert.Whom, &alert.From} {
		*s = strings.Clone(strings.Map(shown, cut(*s, maxName)))
	}
	a.add(alert)
}

// shown replaces control characters and characters without a form of their own.
func shown(r rune) rune {
	if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
		return utf8.RuneError
	}
	return r
}

// Last returns the newest first.
func (a *Alerts) Last() []Alert { return a.newestFirst() }

// Message is a warning or an error of the log.
type Message struct {
	At       time.Time
	Level    Level
	Instance string // empty: of all sources
	Text     string // with attributes
	Fix      string // if the log has it as an attribute; otherwise it is in Text
}

// Journal remembers the last warnings and errors of a log. Its zero value is ready for
// use.
type Journal struct{ last[Message] }

// Last returns the newest first.
func (j *Journal) Last() []Message { return j.newestFirst() }

// Watch returns a logger that writes to log and to the journal.
func (j *Journal) Watch(log *slog.Logger) *slog.Logger {
	return slog.New(watching{journal: j, next: log.Handler()})
}

// watching is the handler of such a logger.
type watching struct {
	journal *Journal
	next    slog.Handler
	attrs   []slog.Attr
}

func (h watching) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn || h.next.Enabled(ctx, level)
}

func (h watching) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		h.journal.add(h.message(r))
	}
	if !h.next.Enabled(ctx, r.Level) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

func (h watching) message(r slog.Record) Message {
	m := Message{At: r.Time, Level: Warning}
	if r.Level >= slog.LevelError {
		m.Level = Failing
	}
	var text strings.Builder
	text.WriteString(r.Message)
	add := func(a slog.Attr) bool {
		switch value := a.Value.Resolve().String(); a.Key {
		case "instance":
			m.Instance = cut(value, maxName)
		case "fix":
			m.Fix = cut(value, maxText)
		case "error":
			text.WriteString(": " + value)
		default:
			text.WriteString(" " + a.Key + "=" + value)
		}
		return text.Len() <= maxText*utf8.UTFMax
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	m.Text = strings.Clone(cut(text.String(), maxText))
	return m
}

func (h watching) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.next, h.attrs = h.next.WithAttrs(attrs), slices.Concat(h.attrs, attrs)
	return h
}

// WithGroup ignores the group, as the console does.
func (h watching) WithGroup(name string) slog.Handler {
	h.next = h.next.WithGroup(name)
	return h
}
