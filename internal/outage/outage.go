// Package outage decides which failures of a repeated attempt are logged: the
// first one, and each one whose text differs from the one before. An outage of
// a whole night is then a handful of lines.
//
// The package only decides. The caller writes the line, because only the caller
// knows its level and its words.
package outage

import (
	"sync"
	"time"
)

// Log belongs to one kind of attempt. Its zero value is ready for use. It is
// safe for concurrent use, and must not be copied after the first use.
type Log struct {
	// Remind is the time after which the same text is due again. Zero: never.
	Remind time.Duration

	mu    sync.Mutex
	text  string // of the last failure that was due; empty: no outage
	since time.Time
	due   time.Time
}

// Failed notes a failure and reports whether it is to be logged.
func (l *Log) Failed(err error) (due bool) {
	text, now := err.Error(), time.Now()
	if text == "" {
		text = "unknown" // the empty text stands for no outage
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if text == l.text && (l.Remind == 0 || now.Before(l.due)) {
		return false
	}
	if l.text == "" {
		l.since = now
	}
	l.text, l.due = text, now.Add(l.Remind)
	return true
}

// Worked notes a success. If it ends an outage, ended is true, and lasted is the
// time since the first failure.
func (l *Log) Worked() (lasted time.Duration, ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text == "" {
		return 0, false
	}
	l.text = ""
	return time.Since(l.since), true
}

// Current returns the text of the last failure that was due, and when the outage began.
// The text is empty if the last attempt worked.
func (l *Log) Current() (text string, since time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text, l.since
}

// Active reports whether the last attempt failed.
func (l *Log) Active() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text != ""
}
