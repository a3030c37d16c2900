package output

import (
	"bytes"
	"fmt"
	"strings"
	"unsafe"

	"github.com/tinylib/msgp/msgp"

	"github.com/zitadel-siem/zitadel-siem/internal/redact"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// maxDepth bounds what a hostile body can make the walk below hold.
const maxDepth = 32

// place says in what kind of map a value stands.
type place uint8

const (
	anywhere place = iota
	secret         // under the name of a secret: text and numbers go
	form           // under the name of a form: all goes
	headers        // of HTTP: what is not harmless goes
)

// cleaner copies msgpack without the secrets in it. What stands beside the line
// in a record may have been made of such a line, by a filter of the user's.
type cleaner struct{ room []byte }

// entry appends one entry of a map that stands at in.
func (c *cleaner) entry(b []byte, f field, in place, depth int) []byte {
	if f.name == nil {
		return c.value(appendOddKey(b, f.key), f.value, in, depth+1)
	}
	b = c.text(b, f.name)
	return c.value(b, f.value, placeOf(f.name, in), depth+1)
}

// appendOddKey appends a key that is no text as text: Fluent Bit makes JSON of the
// record, which has no other keys.
func appendOddKey(out, key []byte) []byte {
	switch msgp.NextType(key) {
	case msgp.IntType, msgp.UintType, msgp.BoolType, msgp.Float32Type, msgp.Float64Type:
		if v, _, err := msgp.ReadIntfBytes(key); err == nil {
			return msgp.AppendString(out, fmt.Sprint(v))
		}
	}
	return msgp.AppendString(out, redact.Redacted)
}

// placeOf says where a value under name stands, in a map that stands at in.
func placeOf(name []byte, in place) place {
	s := unsafe.String(unsafe.SliceData(name), len(name))
	switch {
	case in == form, isForm(s):
		return form
	case redact.SecretKey(s), in == headers && !redact.HarmlessHeader(s):
		return secret
	case in == headers:
		return anywhere
	case len(s) < 20 && hasSuffixFold(s, "header", "headers"):
		return headers
	}
	return anywhere
}

func isForm(s string) bool {
	return strings.EqualFold(s, "form") || strings.EqualFold(s, "postForm") || strings.EqualFold(s, "post_form")
}

func hasSuffixFold(s string, suffixes ...string) bool {
	for _, suffix := range suffixes {
		if at := len(s) - len(suffix); at >= 0 && strings.EqualFold(s[at:], suffix) {
			return true
		}
	}
	return false
}

// value appends the value at the start of b.
func (c *cleaner) value(out, b []byte, in place, depth int) []byte {
	if depth > maxDepth {
		return msgp.AppendString(out, redact.Redacted)
	}
	switch msgp.NextType(b) {
	case msgp.StrType, msgp.BinType:
		if text, _ := readText(b); in != secret && in != form {
			return c.text(out, text)
		}
	case msgp.MapType:
		if in != form {
			return c.fields(out, b, in, depth)
		}
	case msgp.ArrayType:
		if in != form {
			return c.list(out, b, in, depth)
		}
	case msgp.NilType, msgp.BoolType:
		return append(out, b...)
	default:
		// Of extensions only EventTime is known to hold no text.
		if in == anywhere && (eventTime(b) != nil || isNumber(b)) || in == headers && isNumber(b) {
			return append(out, b...)
		}
	}
	return msgp.AppendString(out, redact.Redacted)
}

func isNumber(b []byte) bool {
	switch msgp.NextType(b) {
	case msgp.IntType, msgp.UintType, msgp.Float32Type, msgp.Float64Type:
		return true
	}
	return false
}

func (c *cleaner) fields(out, b []byte, in place, depth int) []byte {
	var room [16]field
	fields := appendFields(room[:0], b)
	out = msgp.AppendMapHeader(out, uint32(len(fields)))
	if in == secret {
		in = anywhere // a map says by its own keys what is secret
	}
	for _, f := range fields {
		out = c.entry(out, f, in, depth)
	}
	return out
}

func (c *cleaner) list(out, b []byte, in place, depth int) []byte {
	n, b, _ := msgp.ReadArrayHeaderBytes(b)
	out = msgp.AppendArrayHeader(out, n)
	for ; n > 0; n-- {
		rest, err := msgp.Skip(b)
		if err != nil {
			rest = b[len(b):]
		}
		out = c.value(out, b[:len(b)-len(rest)], in, depth+1)
		b = rest
	}
	return out
}

// text appends s, scrubbed, as a string.
func (c *cleaner) text(out, s []byte) []byte {
	c.room = parser.Scrub(c.room[:0], s)
	if !bytes.Equal(c.room, s) {
		return msgp.AppendStringFromBytes(out, bytes.ToValidUTF8(c.room, []byte("\uFFFD")))
	}
	return msgp.AppendStringFromBytes(out, s)
}
