package flbconf

import (
	"bytes"
	"strings"
)

// classic reads the format of [SECTION] and "Key value" lines
// (flb_cf_fluentbit.c), more leniently than Fluent Bit where that costs nothing.
func (l *loader) classic(file string, data []byte, depth int) {
	var current *section
	group := -1 // indentation of the [GROUP] we are in, -1 for none
	line := 0
	for raw := range bytes.Lines(data) {
		line++
		text := strings.TrimRight(string(raw), "\r\n")
		body := strings.TrimLeft(text, " \t")
		indent := len(text) - len(body)
		switch {
		case body == "" || body[0] == '#':
			continue
		case indent == 0 && body[0] == '@':
			group = -1
			l.meta(body, file, line, depth)
			continue
		case body[0] == '[':
			name, _, ok := strings.Cut(body[1:], "]")
			if !ok {
				l.add(Error, file, line, "section without ]", "Fluent Bit does not start with it", "["+strings.TrimSpace(body[1:])+"]")
			}
			if indent > 0 {
				group = indent
				continue
			}
			group = -1
			current = &section{kind: strings.ToLower(name), format: classicFormat, file: file, line: line}
			l.doc.sections = append(l.doc.sections, current)
			continue
		}
		if group >= 0 && indent > group {
			continue
		}
		group = -1
		if current == nil {
			continue
		}
		key, value, ok := strings.Cut(body, " ")
		value = strings.TrimSpace(value)
		if !ok || value == "" {
			key, value, _ = strings.Cut(body, "\t")
			why := "Fluent Bit does not start: a key needs a value"
			if value = strings.TrimSpace(value); value != "" {
				why = "Fluent Bit does not start: key and value are parted by spaces, not tabs"
			}
			l.add(Error, file, line, bounded(key), why, current.write(bounded(key), "<value>"))
			if value == "" {
				continue
			}
		}
		current.props = append(current.props, property{key: strings.ToLower(strings.TrimSpace(key)), value: value, line: line})
	}
}

// meta follows @INCLUDE and keeps what @SET sets.
func (l *loader) meta(body, file string, line, depth int) {
	word, rest, _ := strings.Cut(body, " ")
	rest = strings.TrimSpace(rest)
	switch strings.ToUpper(word) {
	case "@INCLUDE":
		if rest != "" {
			l.include(rest, file, line, classicFormat, depth)
		}
	case "@SET":
		if name, value, ok := strings.Cut(rest, "="); ok {
			l.setEnv(strings.TrimSpace(name), strings.TrimSpace(value), false)
		}
	}
}

// bounded keeps a name from a foreign file on one short line.
func bounded(name string) string {
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
