package parser

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// unescape removes layers of quoting from src and appends the result to dst. tmp is a buffer
// that does not overlap src. It is returned for reuse.
func unescape(dst, src []byte, layers uint, tmp []byte) (out, room []byte) {
	if bytes.IndexByte(src, '\\') < 0 {
		return append(dst, src...), tmp
	}
	if layers > 1 {
		tmp = append(tmp[:0], src...)
		src = tmp
	}
	for ; layers > 1; layers-- {
		// In place: the result is never longer.
		src = unescapeOnce(src[:0], src)
	}
	if layers == 0 {
		return append(dst, src...), tmp
	}
	return unescapeOnce(dst, src), tmp
}

// unescapeOnce removes one layer of quoting, Go's %q or JSON. Unknown escapes are kept. dst
// may be src[:0].
func unescapeOnce(dst, src []byte) []byte {
	for len(src) > 0 {
		j := bytes.IndexByte(src, '\\')
		if j < 0 || j == len(src)-1 {
			return append(dst, src...)
		}
		dst = append(dst, src[:j]...)
		c := src[j+1]
		src = src[j+2:]
		switch c {
		case '\\', '"', '/', '\'':
			dst = append(dst, c)
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'a':
			dst = append(dst, '\a')
		case 'v':
			dst = append(dst, '\v')
		case 'x':
			v, ok := hexDigits(src, 2)
			if !ok {
				dst = append(dst, '\\', 'x')
				continue
			}
			dst = append(dst, byte(v))
			src = src[2:]
		case 'u':
			v, ok := hexDigits(src, 4)
			if !ok {
				dst = append(dst, '\\', 'u')
				continue
			}
			src = src[4:]
			if utf16.IsSurrogate(v) && len(src) >= 6 && src[0] == '\\' && src[1] == 'u' {
				if low, ok := hexDigits(src[2:], 4); ok {
					if r := utf16.DecodeRune(v, low); r != utf8.RuneError {
						v, src = r, src[6:]
					}
				}
			}
			dst = utf8.AppendRune(dst, v) // a lone surrogate becomes U+FFFD
		case 'U':
			v, ok := hexDigits(src, 8)
			if !ok {
				dst = append(dst, '\\', 'U')
				continue
			}
			dst = utf8.AppendRune(dst, v)
			src = src[8:]
		default:
			dst = append(dst, '\\', c)
		}
	}
	return dst
}

func hexDigits(b []byte, n int) (v rune, ok bool) {
	if len(b) < n {
		return 0, false
	}
	for _, c := range b[:n] {
		switch {
		case c-'0' < 10:
			c -= '0'
		case c|0x20-'a' < 6:
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		v = v<<4 | rune(c)
	}
	return v, true
}
