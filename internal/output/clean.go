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

// maxDepth limits the recursion below: a client chooses the nesting of a body.
const maxDepth = 32

// place is the kind of map that a value is in.
type place uint8

const (
	anywhere place = iota
	secret         // under the name of a secret: strings and numbers are removed
	form           // in a form: everything is removed
	headers        // in a map of HTTP headers: all but harmless ones are removed
)

// cleaner copies msgpack and removes secrets. The fields beside the line may hold
// secrets too: a filter of the user may have taken them from a line.
type cleaner struct{ room []byte }

// entry appends one entry of a map of kind in.
func (c *cleaner) entry(b []byte, f field, in place, depth int) []byte {
	if f.name == nil {
		return c.value(appendOddKey(b, f.key), f.value, in, depth+1)
	}
	b = c.text(b, f.name)
	return c.value(b, f.value, placeOf(f.name, in), depth+1)
}

// appendOddKey appends a key that is not a string as a string. Fluent Bit converts the
// record to JSON, where every key is a string.
func appendOddKey(out, key []byte) []byte {
	switch msgp.NextType(key) {
	case msgp.IntType, msgp.UintType, msgp.BoolType, msgp.Float32Type, msgp.Float64Type:
		if v, _, err := msgp.ReadIntfBytes(key); err == nil {
			return msgp.AppendString(out, fmt.Sprint(v))
		}
	}
	return msgp.AppendString(out, redact.Redacted)
}

// placeOf returns the place of the value under name in a map of kind in.
func placeOf(name []byte, in place) place {
	s := unsafe.String(unsafe.SliceData(name), len(name))
	switch {
	case in == form, strings.EqualFold(s, "form"), strings.EqualFold(s, "postForm"), strings.EqualFold(s, "post_form"):
		return form
	case redact.SecretKey(s), in == headers && !redact.HarmlessHeader(s):
		return secret
	case in == headers:
		return anywhere
	case redact.ClassOf(s) == redact.HeaderMap:
		return headers
	}
	return anywhere
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
		// EventTime is the only extension that certainly holds no text.
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
		in = anywhere // the keys of the inner map decide
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
		var element []byte
		element, b = cut(b)
		out = c.value(out, element, in, depth+1)
	}
	return out
}

// text appends s as a string, without secrets.
func (c *cleaner) text(out, s []byte) []byte {
	c.room = parser.Scrub(c.room[:0], s)
	if !bytes.Equal(c.room, s) {
		return msgp.AppendStringFromBytes(out, bytes.ToValidUTF8(c.room, []byte("\uFFFD")))
	}
	return msgp.AppendStringFromBytes(out, s)
}
