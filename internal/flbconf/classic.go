package flbconf

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// classic reads the format of [SECTION] and "Key value" lines as
// flb_cf_fluentbit.c does. After a line that Fluent Bit refuses it
// continues.
func (l *loader) classic(file string, data []byte, depth int) {
	r := classicReader{l: l, file: file, depth: depth}
	for raw := range bytes.Lines(data) {
		r.line++
		r.read(strings.TrimSuffix(strings.TrimSuffix(string(raw), "\n"), "\r"))
	}
}

type classicReader struct {
	l       *loader
	file    string
	line    int
	depth   int
	current *section
	indent  string // of the first setting; all others have the same
	refused bool   // one line of wrong indentation was reported
}

func (r *classicReader) read(text string) {
	switch {
	case text == "" || text[0] == '#':
	case text[0] == '@':
		r.meta(text)
	case text[0] == '[':
		r.section(text)
	default:
		r.setting(text)
	}
}

func (r *classicReader) fail(what, why, fix string) {
	r.l.add(Error, r.file, r.line, short(what), "Fluent Bit does not start: "+why, fix)
}

// sectionNames are those of Fluent Bit, in the order in which it compares a
// prefix of them.
var sectionNames = []string{"service", "parser", "multiline_parser", "stream_processor", "plugins", "upstream_servers", "customs", "inputs", "filters", "outputs"}

func (r *classicReader) section(text string) {
	name, _, ok := strings.Cut(text[1:], "]")
	if !ok {
		r.fail("section without ]", "it does not know where the name ends", "["+short(strings.TrimSpace(text[1:]))+"]")
	}
	r.current = &section{kind: sectionKind(name), format: classicFormat, file: r.file, line: r.line}
	r.l.sections = append(r.l.sections, r.current)
	switch r.current.kind {
	case "parser", "multiline_parser":
		r.fail("["+name+"]", "parsers have a file of their own", "move it to a file that parsers_file in [SERVICE] names")
	case "custom":
		r.l.customs = true
	case "":
		if near := config.Nearest(strings.ToLower(strings.TrimSpace(name)), []string{"service", "input", "filter", "output"}); near != "" {
			r.l.add(Error, r.file, r.line, "["+short(name)+"]", "Fluent Bit does not know this section and ignores it", "["+strings.ToUpper(near)+"]")
		}
	}
}

// sectionKind is a section's kind, "" if Fluent Bit ignores it.
func sectionKind(name string) string {
	for _, full := range sectionNames {
		if name != "" && len(name) <= len(full) && strings.EqualFold(name, full[:len(name)]) {
			if slices.Contains([]string{"customs", "inputs", "filters", "outputs"}, full) {
				return strings.TrimSuffix(full, "s")
			}
			return full
		}
	}
	return ""
}

func (r *classicReader) setting(text string) {
	text = r.indented(text)
	if text == "" || text[0] == '#' {
		return
	}
	key, value, ok := strings.Cut(text, " ")
	value = strings.TrimSpace(value)
	if !ok || value == "" {
		why := "a key needs a value"
		if key, value, _ = strings.Cut(text, "\t"); strings.TrimSpace(value) != "" {
			why = "key and value are separated by spaces, not by tabs"
		}
		r.fail(key, why, short(strings.TrimSpace(key))+" <value>")
		if value = strings.TrimSpace(value); value == "" {
			return
		}
	}
	if r.current == nil {
		r.fail(key, "it is before the first [SECTION]", "move it below a [SECTION]")
		return
	}
	r.current.props = append(r.current.props, property{key: strings.ToLower(strings.TrimSpace(key)), value: value, line: r.line})
}

// indented removes the indentation, which must be that of the first setting or twice
// as much.
func (r *classicReader) indented(text string) string {
	rest := strings.TrimLeft(text, " \t")
	blank := text[:len(text)-len(rest)]
	if r.indent == "" {
		if r.indent = blank; blank != "" {
			return rest
		}
		r.indent = text[:1] // Fluent Bit takes the first character, whatever it is
	}
	if r.refused || blank == r.indent || blank == r.indent+r.indent {
		return rest
	}
	r.refused = true
	what, _, _ := strings.Cut(rest, " ")
	why := "all settings must have the same indentation"
	if blank == "" {
		why = "only [SECTION], @INCLUDE, @SET and # comments may begin in the first column"
	}
	fix := "indent it by " + describe(r.indent) + ", like the first setting of the file"
	switch {
	case rest == "":
		what, fix = "a line with only white space", "remove the white space"
	case strings.EqualFold(what, "$INCLUDE"), strings.EqualFold(what, "INCLUDE"):
		fix = "@INCLUDE" + short(strings.TrimPrefix(rest, what))
	}
	r.fail(what, why, fix)
	return rest
}

func describe(indent string) string {
	switch spaces, tabs := strings.Count(indent, " "), strings.Count(indent, "\t"); len(indent) {
	case spaces:
		return fmt.Sprintf("%d spaces", spaces)
	case tabs:
		return fmt.Sprintf("%d tabs", tabs)
	}
	return "4 spaces"
}

// meta follows @INCLUDE and keeps what @SET sets.
func (r *classicReader) meta(text string) {
	word, rest, ok := strings.Cut(text, " ")
	rest = strings.TrimSpace(rest)
	if !ok || rest == "" {
		r.fail(word, "it needs a value", short(word)+" <value>")
		return
	}
	switch strings.ToUpper(word) {
	case "@INCLUDE":
		r.l.include(rest, r.file, r.line, classicFormat, r.depth)
	case "@SET":
		if name, value, ok := strings.Cut(rest, "="); ok {
			r.l.setEnv(strings.TrimSpace(name), strings.TrimSpace(value), false)
		}
	}
}

// short keeps a name from a foreign file on one short line.
func short(name string) string {
	const most = 60
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(name, "?"))
	if clean == "" {
		return "an empty name"
	}
	if len(clean) > most {
		return strings.ToValidUTF8(clean[:most], "") + "..."
	}
	return clean
}
