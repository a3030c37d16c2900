package redact

import (
	"strconv"
	"strings"
)

// This file reads the name that stands before a value in text; the others find what it
// names: name=value (named.go), Name: value (labelled.go), "name":"value" and
// name:[value] (member.go), <name>value</name> (element.go).

// NamesSecret reports whether a name in text says that its value is a secret.
func NamesSecret(name string) bool {
	switch ClassOf(name) {
	case SecretName, SecretEnd, SecretLeaf:
		return true
	}
	return false
}

// name returns the name that ends before s[end], and where it starts. It is "password" for a password
// in another language.
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

// escapedName is name where s[i-1] begins an escape: \u0026code and %26code, whose escape
// is no part of the name, or \u0070assword and pass%77ord, whose escape is.
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

// escape reads the escape that s[i-1] begins, \uXXXX or %XX, or %25XX and so on. c is 0
// where it is none.
func escape(s string, i int) (c uint64, next int) {
	digits := i + 2
	if s[i-1] == '%' {
		for strings.HasPrefix(s[i:], "25") {
			i += 2
		}
		digits = i + 2
	} else if i < len(s) && s[i] == 'u' {
		i++
		digits = i + 4
	} else {
		return 0, i // a backslash of another kind
	}
	c, err := strconv.ParseUint(s[i:min(digits, len(s))], 16, 16)
	if err != nil && s[i-1] == 'u' {
		return 0, i - 1
	}
	return c, digits
}

// assigned returns the name that stands before a "=" at s[end]: name, "name", list[name],
// name[] and name[0], whose brackets may stand as %5B and %5D.
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

// beforeQuote steps back over a quote before s[end], and the backslashes before it.
func beforeQuote(s string, end int) int {
	if end == 0 || s[end-1] != '"' && s[end-1] != '\'' {
		return end
	}
	end--
	return end - backslashes(s, end)
}

// beforeByte steps back over c before s[end], which may stand as %XX, or as %25XX and
// so on; -1 where there is none. high and low are its digits, low in lower case.
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

// escaped returns where s goes on after a byte that stands as %XX at s[i:], or
// as %25XX and so on, in a URL inside URLs; -1 where there is none. high and
// low are its digits, low in lower case.
func escaped(s string, i int, high, low byte) int {
	for i++; strings.HasPrefix(s[i:], "25"); i += 2 {
	}
	if i+1 < len(s) && s[i] == high && s[i+1]|0x20 == low|0x20 {
		return i + 2
	}
	return -1
}
