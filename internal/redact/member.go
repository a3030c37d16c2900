package redact

import "strings"

// escapedMember finds the value of a percent-encoded "name":value, %22name%22%3A%22value%22.
// The colon is s[colon:v].
func escapedMember(s string, colon, v int) (start, end int) {
	nameEnd := beforeByte(s, colon, '"', '2', '2')
	if nameEnd < 0 {
		return -1, -1
	}
	if key, _ := name(s, nameEnd); !NamesSecret(key) && !secretCookie(key) {
		return -1, -1
	}
	for v < len(s) && s[v] == '+' { // a space
		v++
	}
	if start = -1; v < len(s) && s[v] == '%' {
		start = escaped(s, v, '2', '2')
	}
	if start < 0 {
		return unlessKnown(s, v, valueEnd(s, v))
	}
	for end = start; end < len(s) && endsText[s[end]] != 1 && s[end] != '&'; end++ {
		// With %5C, a backslash, before it, the quote belongs to the value.
		if s[end] == '%' && escaped(s, end, '2', '2') > 0 && beforeByte(s, end, '\\', '5', 'c') < 0 {
			break
		}
	}
	return unlessKnown(s, start, end)
}

// member finds the value of "name":value in JSON and similar text. The text may be inside one
// or more JSON strings: \\\"name\\\":\\\"value\\\". s[before-1] is the closing quote of the name.
func member(s string, before, v int) (start, end int) {
	quote := s[before-1]
	nameEnd := before - 1
	for nameEnd > 0 && s[nameEnd-1] == '\\' {
		nameEnd--
	}
	key, _ := name(s, nameEnd)
	if !NamesSecret(key) && !secretCookie(key) {
		return -1, -1
	}
	v = skipBlanks(s, v)
	if v == len(s) {
		return -1, -1
	}
	level := before - 1 - nameEnd
	if s[v] == '{' {
		start, end = v, balanced(s, v, level)
		if end-start == 2 { // {}
			return -1, -1
		}
		return start, end
	}
	if s[v] == '[' && !strings.HasPrefix(s[v:], Redacted) {
		// The brackets are kept.
		start = v + 1
		if strings.HasPrefix(s[start:], Redacted+"]") {
			return -1, -1
		}
		if end = balanced(s, v, level); end > start && s[end-1] == ']' {
			end--
		}
		if strings.Trim(s[start:end], `\"'`) == Redacted {
			return -1, -1
		}
		return unlessKnown(s, start, end)
	}
	q := v
	for q < len(s) && s[q] == '\\' {
		q++
	}
	if q < len(s) && s[q] == quote {
		start = q + 1
		end = start + closing(s[start:], quote, q-v)
		return unlessKnown(s, start, end)
	}
	end = v
	if strings.HasPrefix(s[v:], Redacted) { // its bracket does not end the value
		end += len(Redacted)
	}
	for ; end < len(s) && strings.IndexByte(",}] \t\r\n\\\"", s[end]) < 0; end++ {
	}
	return unlessKnown(s, v, end)
}

// closing returns the index of the quote that closes one with level backslashes before it. The
// index is that of the first backslash of the closing quote, or len(s).
func closing(s string, quote byte, level int) int {
	for i := range len(s) {
		if s[i] != quote {
			continue
		}
		switch n := backslashes(s, i); {
		case level == 0 && n%2 == 0:
			return i
		case level > 0 && n <= level:
			return i - n
		}
	}
	return len(s)
}

// backslashes counts the backslashes directly before s[i].
func backslashes(s string, i int) (n int) {
	for n < i && s[i-1-n] == '\\' {
		n++
	}
	return n
}

// balanced returns the index behind the bracket that closes the bracket s[i]. Brackets in quotes
// are ignored. A quote with fewer than level backslashes before it ends the text around.
func balanced(s string, i, level int) int {
	depth := 0
	for ; i < len(s); i++ {
		switch c := s[i]; c {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"', '\'':
			n := backslashes(s, i)
			if c == '"' && n < level {
				return i - n
			}
			if c == '\'' && (n > 0 || wordBytes[s[i-1]]) { // an apostrophe
				continue
			}
			i += 1 + closing(s[i+1:], c, n)
			for i < len(s) && s[i] == '\\' {
				i++
			}
			if c == '"' && i < len(s) && backslashes(s, i) < level {
				return i - backslashes(s, i)
			}
		}
	}
	return len(s)
}
