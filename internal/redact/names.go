package redact

import (
	"strconv"
	"strings"
)

// This file reads the name before a value in text. The value is found by: named.go for
// name=value, labelled.go for Name: value, member.go for "name":"value" and name:[value], and
// element.go for <name>value</name>.

// NamesSecret reports whether a value with this name in text is a secret.
func NamesSecret(name string) bool {
	switch ClassOf(name) {
	case SecretName, SecretEnd, SecretLeaf:
		return true
	}
	return false
}

// name returns the name that ends at s[end], and where it starts. If the name is the word for a
// password in another language, the result is "password".
func name(s string, end int) (string, int) {
	i := end
	for i > 0 && nameBytes[s[i-1]] {
		i--
	}
	key := s[i:end]
	if i > 0 && (s[i-1] == '\\' || s[i-1] == '%') {
		key, i = escapedName(s, i, end)
	}
	if start, ok := foreignName(s, i, end); ok {
		return "password", start
	}
	return key, i
}

// escapedName is the same if s[i-1] begins an escape. The escape is a part of the name in
// \u0070assword and pass%77ord, but not in \u0026code and %26code.
func escapedName(s string, i, end int) (string, int) {
	rest := ""
	for {
		c, next := escape(s, i)
		next = min(next, end)
		if c >= 0x80 || !nameBytes[c] || len(rest) > longestName {
			return s[next:end] + rest, next
		}
		rest = string(rune(c)) + s[next:end] + rest
		end = i - 1
		end -= backslashes(s, end)
		for i = end; i > 0 && nameBytes[s[i-1]]; i-- {
		}
		if i == 0 || s[i-1] != '\\' && s[i-1] != '%' {
			return s[i:end] + rest, i
		}
	}
}

// escape reads the escape that begins at s[i-1]: \uXXXX, %XX, or repeatedly encoded as %25XX.
// c is 0 if there is none.
func escape(s string, i int) (c uint64, next int) {
	switch {
	case s[i-1] == '%':
		for strings.HasPrefix(s[i:], "25") {
			i += 2
		}
		next = i + 2
	case i < len(s) && s[i] == 'u':
		i++
		next = i + 4
	default:
		return 0, i // another escape
	}
	c, err := strconv.ParseUint(s[i:min(next, len(s))], 16, 16)
	if err != nil && s[i-1] == 'u' {
		return 0, i - 1
	}
	return c, next
}

// assigned returns the name before a "=" at s[end]: name, "name", list[name], name[] or name[0].
// The brackets may be encoded as %5B and %5D.
func assigned(s string, end int) (key string, at int) {
	for range 4 {
		end = beforeQuote(s, end)
		inner := beforeByte(s, end, ']', '5', 'd')
		if inner < 0 {
			return name(s, end)
		}
		inner = beforeQuote(s, inner)
		if key, at = name(s, inner); NamesSecret(key) {
			return key, at
		}
		if end = beforeByte(s, beforeQuote(s, at), '[', '5', 'b'); end < 0 {
			return "", at
		}
	}
	return "", end
}

// beforeQuote returns the index before a quote and its backslashes that end at s[end], or end.
func beforeQuote(s string, end int) int {
	if end == 0 || s[end-1] != '"' && s[end-1] != '\'' {
		return end
	}
	end--
	return end - backslashes(s, end)
}

// beforeByte returns the index of the byte c that ends at s[end], or -1. c may be encoded as %XX
// or %25XX and so on; high and low are its hexadecimal digits, low in lower case.
func beforeByte(s string, end int, c, high, low byte) int {
	switch {
	case end > 0 && s[end-1] == c:
		return end - 1
	case end < 3 || s[end-2] != high || s[end-1]|0x20 != low|0x20:
		return -1
	}
	end -= 2
	for strings.HasSuffix(s[:end], "25") {
		end -= 2
	}
	if end > 0 && s[end-1] == '%' {
		return end - 1
	}
	return -1
}

// escaped returns the index behind the byte that is encoded at s[i:] as %XX, or as %25XX and so
// on, or -1. high and low are its hexadecimal digits, low in lower case.
func escaped(s string, i int, high, low byte) int {
	for i++; strings.HasPrefix(s[i:], "25"); i += 2 {
	}
	if i+1 < len(s) && s[i] == high && s[i+1]|0x20 == low|0x20 {
		return i + 2
	}
	return -1
}
