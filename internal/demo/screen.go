package demo

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
)

// shownPerSecond is how many lines a person can follow.
const shownPerSecond = 4

// screen shows some of the records in one short line each.
type screen struct {
	console *terminal.Console
	colours bool
	view    view

	mu     sync.Mutex
	second time.Time
	shown  int
	passed int // not shown since the last line
}

func newScreen(console *terminal.Console, v view) *screen {
	return &screen{console: console, view: v, colours: terminal.IsTerminal(os.Stdout) && os.Getenv("NO_COLOR") == ""}
}

func (s *screen) show(line []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if now.Sub(s.second) >= time.Second {
		s.second, s.shown = now, 0
	}
	switch typ := s.view.typ(line); {
	case typ == "action.login": // one a second, and worth seeing
	case s.shown == shownPerSecond, strings.HasPrefix(typ, "action.run."):
		s.passed++
		return
	default:
		s.shown++
	}
	if s.passed > 0 {
		s.console.Print(fmt.Sprintf("      ... %s more", terminal.Thousands(uint64(s.passed))))
		s.passed = 0
	}
	s.console.Print(s.view.show(line, s.colours))
}

// readable is the same JSON without the \u escapes that Fluent Bit writes.
func readable(raw string) string {
	var value any
	in := json.NewDecoder(strings.NewReader(raw))
	in.UseNumber()
	if in.Decode(&value) != nil {
		return raw
	}
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(value) != nil {
		return raw
	}
	return strings.TrimSpace(out.String())
}

// printable replaces control characters, which text of others may hold.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return '?'
		}
		return r
	}, s)
}

func cut(s string, runes int) string {
	r := []rune(s)
	if len(r) <= runes {
		return s
	}
	return string(r[:runes-1]) + "…"
}
