package parser

import (
	"bytes"
	"math/bits"
	"unsafe"

	"github.com/zitadel-siem/zitadel-siem/internal/redact"
)

// Scrub appends line to b without secrets. It removes forms completely, at any depth of
// quoting, even if their end is missing. It then removes cookies, authorization headers,
// codes, tokens and hashes, by name and by shape (see internal/redact). line may be a whole
// line or a message.
func Scrub(b, line []byte) []byte {
	from := len(b)
	b = scrubForms(b, line)
	s := b[from:]
	view := unsafe.String(unsafe.SliceData(s), len(s))
	if out := redact.String(view); out != view {
		b = append(b[:from], out...)
	}
	return b
}

// scrubForms removes the text behind a key form or postForm, up to the end of the text that
// is quoted as deep as the key. It does not search for the end of the value: the user name
// before it may have a quote, and then quotes cannot be paired.
func scrubForms(b, line []byte) []byte {
	for {
		q := formKey(line)
		if q < 0 {
			return append(b, line...)
		}
		n := slashes(line, q)
		quote := line[q-n : q+1]
		b = append(b, line[:q+1]...)
		b = append(b, ':')
		b = append(b, quote...)
		b = append(b, redact.Redacted...)
		b = append(b, quote...)
		line = line[outerQuote(line, q+1, n):]
	}
}

// formKey returns the index of the closing quote of the next key form or postForm whose value
// is an object or a list, or -1. There may be white space around the colon.
func formKey(line []byte) int {
	for i := 0; ; i++ {
		d := bytes.IndexByte(line[i:], ':')
		if d < 0 {
			return -1
		}
		i += d
		q := blanksBefore(line, i) - 1
		if q < 0 || line[q] != '"' {
			continue
		}
		value := line[blanksBehind(line, i+1):]
		if len(value) == 0 || value[0] != '{' && value[0] != '[' {
			continue
		}
		n := slashes(line, q)
		for _, key := range [...]string{"form", "postform", "post_form"} {
			open := q - n - len(key) - 1
			if open-n < 0 || line[open] != '"' || slashes(line, open) != n {
				continue
			}
			if bytes.EqualFold(line[open+1:q-n], []byte(key)) {
				return q
			}
		}
	}
}

// blanksBefore goes back from b[i] over white space, including the escapes \n, \r and \t.
func blanksBefore(b []byte, i int) int {
	for i > 0 {
		switch c := b[i-1]; {
		case c == ' ', c == '\t', c == '\r', c == '\n':
			i--
		case (c == 'n' || c == 't' || c == 'r') && slashes(b, i-1) > 0:
			i -= 1 + slashes(b, i-1)
		default:
			return i
		}
	}
	return i
}

// blanksBehind goes forward from b[i] over the same.
func blanksBehind(b []byte, i int) int {
	for ; i < len(b); i++ {
		switch b[i] {
		case ' ', '\t', '\r', '\n':
			continue
		}
		end := i
		for end < len(b) && b[end] == '\\' {
			end++
		}
		if end == i || end == len(b) || b[end] != 'n' && b[end] != 't' && b[end] != 'r' {
			break
		}
		i = end
	}
	return i
}

// slashes counts the backslashes before b[i].
func slashes(b []byte, i int) (n int) {
	for n < i && b[i-1-n] == '\\' {
		n++
	}
	return n
}

// outerQuote returns the index of the first quote from i on that has fewer than n backslashes
// before it, or the end of b. The index is that of its first backslash. This quote ends the
// text in which quotes have n backslashes.
func outerQuote(b []byte, i, n int) int {
	layer := uint(bits.Len(uint(n)))
	if n == 0 || n != 1<<layer-1 { // no outer text, or an unknown kind of quoting
		return len(b)
	}
	for {
		end, next, how := stringEnd(b, i, layer)
		if how != closed {
			return end
		}
		i = next
	}
}
