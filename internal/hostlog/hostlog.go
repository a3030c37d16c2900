// Package hostlog writes the log lines of a plugin to the host that loaded it: in the
// host's format, at its level, and through its own logger if it has one.
package hostlog

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
)

const (
	// maxLines limits the lines that wait for the host's thread.
	maxLines = 512
	// maxLine is below the 4 kB that Fluent Bit's logger keeps of a line.
	maxLine = 3500
	// maxLineWait: a host that does not call, because it is paused, prints nothing,
	// but its user must see errors anyway.
	maxLineWait = 3 * time.Second
)

// Printer writes one line to the host's own log. It works only on the host's thread,
// because Fluent Bit finds its logger through the thread.
type Printer func(level slog.Level, line string)

// Log keeps lines until the host's thread calls [Log.Print], so that they go to its
// log_file. Without a [Printer], or if the host does not call, they go to its standard
// error.
type Log struct {
	role string // "input" or "output"
	host Host

	mu      sync.Mutex
	hosts   bool // Print will be called
	lines   []line
	dropped int
	timer   *time.Timer
}

type line struct {
	at    time.Time
	level slog.Level
	text  string
}

// Host describes the logger of the process that loaded the plugin.
type Host struct {
	Name  string     // of the instance: its alias, or zitadel.0
	Level slog.Level // the host's log_level for this instance
	// Print is the host's own logger, or nil.
	Print Printer
	// Stderr gets the lines that Print cannot take.
	Stderr io.Writer
}

// New returns a log for the instance of host, which has the role "input" or "output".
func New(role string, host Host) *Log {
	return &Log{role: role, host: host, hosts: host.Print != nil}
}

// Logger returns a logger that writes to l.
func (l *Log) Logger() *slog.Logger { return slog.New(handler{log: l}) }

// Print writes the waiting lines to the host's log. Call it on the host's thread.
func (l *Log) Print() {
	if l.host.Print == nil {
		return
	}
	for _, ln := range l.take() {
		l.host.Print(ln.level, ln.text)
	}
}

// Detach is called when the host has ended: later lines go to its standard error.
func (l *Log) Detach() {
	l.mu.Lock()
	l.hosts = false
	l.mu.Unlock()
	l.flush()
}

// Start calls open, which logs to l, and prints the lines. If open fails, Start logs the
// error, detaches l, and returns the error. Call it on the host's thread.
func (l *Log) Start(open func() error) error {
	err := open()
	if err != nil {
		l.Logger().Error(err.Error())
	}
	l.Print()
	if err != nil {
		l.Detach()
	}
	return err
}

// flush writes the waiting lines without the host.
func (l *Log) flush() {
	for _, ln := range l.take() {
		l.write(ln)
	}
}

func (l *Log) take() []line {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if l.dropped > 0 {
		lines = append(lines, line{time.Now(), slog.LevelWarn, fmt.Sprintf("%d log lines were dropped, because more came than were printed", l.dropped)})
		l.dropped = 0
	}
	return lines
}

func (l *Log) add(ln line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.hosts {
		l.write(ln)
		return
	}
	if len(l.lines) == maxLines {
		l.dropped++
		return
	}
	l.lines = append(l.lines, ln)
	if l.timer == nil {
		l.timer = time.AfterFunc(maxLineWait, l.flush)
	}
}

// write writes one line as Fluent Bit does.
func (l *Log) write(ln line) {
	t := ln.at.UTC()
	fmt.Fprintf(l.host.Stderr, "[%s.%09d] [%5s] [%s:zitadel:%s] %s\n",
		t.Format("2006/01/02 15:04:05"), t.Nanosecond(), levelName(ln.level), l.role, l.host.Name, ln.text)
}

func levelName(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return "error"
	case level >= slog.LevelWarn:
		return "warn"
	case level >= slog.LevelInfo:
		return "info"
	case level >= slog.LevelDebug:
		return "debug"
	}
	return "trace"
}

// handler writes "message key=value ...", one line per line of the message.
type handler struct {
	log    *Log
	prefix string // of attribute names, from WithGroup
	attrs  string // from WithAttrs
}

func (h handler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.log.host.Level }

func (h handler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message)
	b.WriteString(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		appendAttr(&b, h.prefix, a)
		return true
	})
	for text := range strings.SplitSeq(b.String(), "\n") {
		if text = printable(text); text != "" {
			h.log.add(line{at: r.Time, level: r.Level, text: text})
		}
	}
	return nil
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	for _, a := range attrs {
		appendAttr(&b, h.prefix, a)
	}
	h.attrs += b.String()
	return h
}

func (h handler) WithGroup(name string) slog.Handler {
	if name != "" {
		h.prefix += name + "."
	}
	return h
}

func appendAttr(b *strings.Builder, prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, member := range v.Group() {
			appendAttr(b, prefix, member)
		}
		return
	}
	if a.Equal(slog.Attr{}) {
		return
	}
	text := v.String()
	if v.Kind() == slog.KindTime {
		text = v.Time().UTC().Format(time.RFC3339Nano)
	}
	if text == "" || strings.ContainsAny(text, " \"=\n") {
		text = fmt.Sprintf("%q", text)
	}
	b.WriteString(" " + prefix + a.Key + "=" + text)
}

// printable keeps text of ZITADEL or of an attacker from forging a log line or
// controlling a terminal.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r < ' ', r >= 0x7f && r < 0xa0, r == '\u2028', r == '\u2029':
			return '?'
		}
		return r
	}, s)
	if len(s) > maxLine {
		s = strings.ToValidUTF8(s[:maxLine], "") + " ..."
	}
	return s
}
