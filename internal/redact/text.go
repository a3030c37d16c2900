package redact

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// Redacted replaces a secret.
const Redacted = "[REDACTED]"

// String removes secrets from free text, such as error messages, log messages and names.
func String(s string) string {
	// Text around a removed secret may form a new shape.
	for range 4 {
		out := cut(s)
		if out == s {
			return s
		}
		s = out
	}
	return Redacted
}

// Value removes secrets from a string of a payload. JSON with a secret is replaced as a whole,
// because the rest would not be valid JSON.
func Value(s string) string {
	if len(s) < minShape {
		return s
	}
	f := newFinder(s)
	start, end := f.next(0)
	if start < 0 {
		if encodedSecret(s) {
			return Redacted
		}
		return s
	}
	if start == 0 && end == len(s) || isJSON(s) {
		return Redacted
	}
	out := cut(s)
	if Holds(out) {
		return Redacted
	}
	return out
}

// Holds reports whether s contains a secret.
func Holds(s string) bool {
	f := newFinder(s)
	start, _ := f.next(0)
	return start >= 0
}

func cut(s string) string {
	f := newFinder(s)
	start, end := f.next(0)
	if start < 0 {
		return s
	}
	var b strings.Builder
	from := 0
	for start >= 0 {
		b.WriteString(s[from:start])
		b.WriteString(Redacted)
		from = end
		start, end = f.next(from)
	}
	b.WriteString(s[from:])
	return b.String()
}

// Address keeps the scheme and the host of a URL to which ZITADEL sends data. User, path, query
// and fragment may contain the credential. A string that is not such a URL is replaced as a whole.
func Address(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || !strings.EqualFold(scheme, "https") && !strings.EqualFold(scheme, "http") {
		return Redacted
	}
	authority := rest
	if i := strings.IndexAny(rest, `/?#\`); i >= 0 {
		authority = rest[:i]
	}
	host := authority[strings.LastIndexByte(authority, '@')+1:]
	if host == "" || len(host) > 253+len(":65535") || span(host, 0, hostBytes) < len(host) || Holds(host) {
		return Redacted
	}
	switch rest[len(authority):] {
	case "", "/", "/" + Redacted:
		if host == authority {
			return s
		}
	}
	return scheme + "://" + host + "/" + Redacted
}

// HeaderLine removes the value of "Name: value" unless the name is harmless.
func HeaderLine(s string) string {
	name, value, ok := strings.Cut(s, ":")
	if !ok || value == "" || HarmlessHeader(strings.TrimSpace(name)) {
		return Value(s)
	}
	if strings.TrimSpace(value) == Redacted {
		return s
	}
	return Value(name) + ": " + Redacted
}

func isJSON(s string) bool {
	s = strings.TrimLeft(s, " \t\r\n")
	return s != "" && (s[0] == '{' || s[0] == '[')
}

// longestEncoded limits the base64 that is decoded. A user object of an identity provider is
// much smaller.
const longestEncoded = 64 << 10

// encodedSecret reports whether s is base64 of a private key in PEM, or of JSON with secrets.
// ZITADEL writes Go's []byte as base64.
func encodedSecret(s string) bool {
	switch {
	case strings.HasPrefix(s, "LS0tLS1CRUdJT"): // "-----BEGIN"
		head := decode64(s[:min(len(s), 64)])
		return bytes.Contains(head, []byte("PRIVATE KEY"))
	case len(s) > longestEncoded:
		return false
	case strings.HasPrefix(s, "eyJ"), strings.HasPrefix(s, "eyA"), strings.HasPrefix(s, "ewo"), strings.HasPrefix(s, "W3s"): // {" or [{
		return Holds(string(decode64(s)))
	}
	return false
}

// decode64 decodes base64 in either alphabet, with or without padding, up to the first error.
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
