package demo

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/tidwall/gjson"

	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// shownPerSecond is how many lines a person can follow.
const shownPerSecond = 4

// screen shows some of the records in one short line each.
type screen struct {
	console *terminal.Console
	colours bool

	mu     sync.Mutex
	second time.Time
	shown  int
	passed int // not shown since the last line
}

func newScreen(console *terminal.Console) *screen {
	return &screen{console: console, colours: terminal.IsTerminal(os.Stdout) && os.Getenv("NO_COLOR") == ""}
}

func (s *screen) show(line []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if now.Sub(s.second) >= time.Second {
		s.second, s.shown = now, 0
	}
	switch typ := gjson.GetBytes(line, "event.type").Str; {
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
	s.console.Print(short(line, s.colours))
}

// short is time and type, then aggregate, editor and the start of the payload, or
// the login of an action's record.
func short(line []byte, colours bool) string {
	get := func(path string) string { return printable(gjson.GetBytes(line, path).String()) }
	at := get("event.time")
	if t, err := time.Parse(time.RFC3339Nano, at); err == nil {
		at = t.Local().Format("15:04:05.000000")
	}
	typ := fmt.Sprintf("%-42s", cut(get("event.type"), 42))
	if colours {
		typ = "\x1b[1;36m" + typ + "\x1b[0m"
		at = "\x1b[2m" + at + "\x1b[0m"
	}
	if get("source") == parser.Source {
		login := gjson.GetManyBytes(line, "login.outcome", "login.user_name", "login.remote_addr", "trust", "format")
		return fmt.Sprintf("%s  %s  %-12s %-34s from %-16s trust %s, %s", at, typ,
			cut(printable(login[0].Str), 12), cut(fmt.Sprintf("%q", login[1].Str), 34), cut(printable(login[2].Str), 21), login[3].Str, login[4].Str)
	}
	editor := get("editor.name")
	if editor == "" {
		editor = get("editor.id")
	}
	payload := printable(readable(gjson.GetBytes(line, "payload").Raw))
	if colours {
		payload = strings.ReplaceAll(cut(payload, 60), "[REDACTED]", "\x1b[33m[REDACTED]\x1b[0m")
	} else {
		payload = cut(payload, 60)
	}
	return fmt.Sprintf("%s  %s  %-12s #%-4s %-14s %s", at, typ, cut(get("aggregate.type"), 12), get("event.sequence"), cut(editor, 14), payload)
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
