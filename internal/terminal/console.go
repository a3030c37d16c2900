// Package terminal writes what a command says to a person: messages, a status
// line, and numbers and durations in a short form.
package terminal

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

// Console writes messages, and below them a status line that is overwritten on
// a terminal.
type Console struct {
	// Terminal says whether the writer is one.
	Terminal bool
	// Journal says that the writer leads into systemd's journal. Lines then begin with
	// their level, which journalctl --priority and colors need, and have no time, since the
	// journal has its own.
	Journal bool

	mu     sync.Mutex
	w      io.Writer
	status string // the current status line
}

// IsTerminal reports whether f is a character device. That includes /dev/null,
// where a status line does no harm.
func IsTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// New returns a console that writes to w.
func New(w io.Writer, terminal bool) *Console {
	return &Console{w: w, Terminal: terminal}
}

// Line writes one line.
func (c *Console) Line(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.above(c.w, text)
}

// Print writes a line to standard output, which may be the same terminal.
func (c *Console) Print(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.above(os.Stdout, text)
}

// above writes a line, and the status line below it again.
func (c *Console) above(w io.Writer, text string) {
	status := c.status
	c.clearLocked()
	fmt.Fprintln(w, text)
	if status != "" {
		fmt.Fprint(c.w, status)
		c.status = status
	}
}

// Warn writes a warning.
func (c *Console) Warn(text string) { c.Line(c.mark(slog.LevelWarn, "warning: "+text)) }

// Fail writes the error that ends the command.
func (c *Console) Fail(err error) { c.Line(c.mark(slog.LevelError, "zitadel-siem: "+err.Error())) }

// mark puts the level before each line of a text for the journal, see sd-daemon(3).
func (c *Console) mark(level slog.Level, text string) string {
	if !c.Journal {
		return text
	}
	priority := "<6>"
	switch {
	case level >= slog.LevelError:
		priority = "<3>"
	case level >= slog.LevelWarn:
		priority = "<4>"
	}
	return priority + strings.ReplaceAll(text, "\n", "\n"+priority)
}

// Show replaces the status line. Without a terminal it writes one more line.
func (c *Console) Show(status string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.Terminal {
		fmt.Fprintln(c.w, status)
		return
	}
	c.clearLocked()
	fmt.Fprint(c.w, status)
	c.status = status
}

// Clear removes the status line.
func (c *Console) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clearLocked()
}

func (c *Console) clearLocked() {
	if c.status != "" {
		fmt.Fprint(c.w, "\r\x1b[K")
		c.status = ""
	}
}

// Logger returns a logger that writes one line for each record.
func (c *Console) Logger() *slog.Logger { return slog.New(consoleHandler{console: c}) }

// consoleHandler is slog for a person: time, level, message, attributes.
type consoleHandler struct {
	console *Console
	prefix  string // attributes of With, ready to append
}

func (consoleHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo
}

func (h consoleHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	if !h.console.Journal {
		b.WriteString(r.Time.Format(time.TimeOnly))
		b.WriteByte(' ')
	}
	b.WriteString(strings.ToLower(r.Level.String()))
	b.WriteString(": ")
	b.WriteString(r.Message)
	b.WriteString(h.prefix)
	r.Attrs(func(a slog.Attr) bool {
		b.WriteString(attribute(a))
		return true
	})
	h.console.Line(h.console.mark(r.Level, b.String()))
	return nil
}

// attribute is " name=value". Text with spaces, quotes or control characters is
// quoted: it may come from ZITADEL.
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

// WithGroup ignores the group: nothing here groups attributes.
func (h consoleHandler) WithGroup(string) slog.Handler { return h }
