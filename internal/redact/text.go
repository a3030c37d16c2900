package redact

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// String cuts secrets out of free text: error and log messages, names.
func String(s string) string {
	// What is left may make a new shape together with its neighbours.
	for range 4 {
		out := cut(s, true)
		if out == s {
			return s
		}
		s = out
	}
	return Redacted
}

// cutValue cuts secrets out of a payload's string. JSON in a string goes as a
// whole: cutting would leave text that no parser reads.
func cutValue(s string) string {
	if len(s) < minShape {
		return s
	}
	start, end := find(s, 0, false)
	if start < 0 {
		if encodedSecret(s) {
			return Redacted
		}
		return s
	}
	if start == 0 && end == len(s) || isJSON(s) {
		return Redacted
	}
	out := cut(s, false)
	if start, _ := find(out, 0, false); start >= 0 {
		return Redacted
	}
	return out
}

// has reports whether s holds a shape of a secret.
func has(s string) bool {
	start, _ := find(s, 0, false)
	return start >= 0
}

func cut(s string, free bool) string {
	start, end := find(s, 0, free)
	if start < 0 {
		return s
	}
	var b strings.Builder
	from := 0
	for start >= 0 {
		b.WriteString(s[from:start])
		b.WriteString(Redacted)
		from = end
		start, end = find(s, from, free)
	}
	b.WriteString(s[from:])
	return b.String()
}

func isJSON(s string) bool {
	s = strings.TrimLeft(s, " \t\r\n")
	return s != "" && (s[0] == '{' || s[0] == '[')
}

// longestEncoded bounds the base64 that is decoded to look inside: 64 KiB is
// far beyond a user object of an identity provider.
const longestEncoded = 64 << 10

// encodedSecret reports whether s is base64 of a PEM private key, or of JSON
// that holds secrets. ZITADEL writes Go's []byte as base64.
func encodedSecret(s string) bool {
	switch {
	case strings.HasPrefix(s, "LS0tLS1CRUdJT"): // "-----BEGIN"
		head := decode64(s[:min(len(s), 64)])
		return bytes.Contains(head, []byte("PRIVATE KEY"))
	case len(s) > longestEncoded:
		return false
	case strings.HasPrefix(s, "eyJ"), strings.HasPrefix(s, "eyA"), strings.HasPrefix(s, "ewo"), strings.HasPrefix(s, "W3s"): // {" or [{
		return has(string(decode64(s)))
	}
	return false
}

// decode64 decodes base64 in either alphabet, padded or not, as far as it goes.
func decode64(s string) []byte {
	s = strings.TrimRight(s, "=")
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(s, "-_") {
		encoding = base64.RawURLEncoding
	}
	b := make([]byte, encoding.DecodedLen(len(s)))
	n, _ := encoding.Decode(b, []byte(s))
	return b[:n]
}
