package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

// console writes to standard error: messages, and below them a status line
// that is overwritten on a terminal.
type console struct {
	terminal bool

	mu     sync.Mutex
	w      io.Writer
	status string // the line that stands there
}

// isTerminal takes any character device for a terminal; /dev/null is none to
// whom a status line would be a harm.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func newConsole(w io.Writer, terminal bool) *console {
	return &console{w: w, terminal: terminal}
}

func (c *console) line(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.above(c.w, text)
}

// print writes a line to standard output, which may be the same terminal.
func (c *console) print(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.above(os.Stdout, text)
}

// above writes a line and the status below it again.
func (c *console) above(w io.Writer, text string) {
	status := c.status
	c.clearLocked()
	fmt.Fprintln(w, text)
	if status != "" {
		fmt.Fprint(c.w, status)
		c.status = status
	}
}

func (c *console) warn(text string) { c.line("warning: " + text) }

func (c *console) fail(err error) { c.line("zitadel-siem: " + err.Error()) }

// show replaces the status line; where there is no terminal it is one more line.
func (c *console) show(status string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.terminal {
		fmt.Fprintln(c.w, status)
		return
	}
	c.clearLocked()
	fmt.Fprint(c.w, status)
	c.status = status
}

func (c *console) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clearLocked()
}

func (c *console) clearLocked() {
	if c.status != "" {
		fmt.Fprint(c.w, "\r\x1b[K")
		c.status = ""
	}
}

// logger returns a logger that writes here, in one line each.
func (c *console) logger() *slog.Logger { return slog.New(consoleHandler{console: c}) }

// consoleHandler is slog for a person: time, level, message, attributes.
type consoleHandler struct {
	console *console
	prefix  string // attributes of With, ready to append
}

func (consoleHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo
}

func (h consoleHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Time.Format(time.TimeOnly))
	b.WriteByte(' ')
	b.WriteString(strings.ToLower(r.Level.String()))
	b.WriteString(": ")
	b.WriteString(r.Message)
	b.WriteString(h.prefix)
	r.Attrs(func(a slog.Attr) bool {
		b.WriteString(attribute(a))
		return true
	})
	h.console.line(b.String())
	return nil
}

// attribute is " name=value". Text that is not plain is quoted: it may come
// from ZITADEL and hold control characters.
func attribute(a slog.Attr) string {
	v := a.Value.Resolve()
	text := v.String()
	if v.Kind() == slog.KindTime {
		text = v.Time().UTC().Format(time.RFC3339)
	}
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == '"' || r >= 0x7f && r < 0xa0 }) {
		text = fmt.Sprintf("%q", text)
	}
	return " " + a.Key + "=" + text
}

func (h consoleHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		h.prefix += attribute(a)
	}
	return h
}

// WithGroup: nothing here groups attributes.
func (h consoleHandler) WithGroup(string) slog.Handler { return h }
