package chunks

import (
	"math"

	"github.com/tinylib/msgp/msgp"
)

// jsonBytes is how many bytes each byte of a text has in the JSON that Fluent Bit writes, at
// most (src/flb_utils.c). A character beyond ASCII is \uXXXX, or two of them, if it is
// escaped; an invalid byte becomes U+FFFD.
var jsonBytes = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c < 0x20 || c == 0x7f:
			t[c] = 6
		case c == '"' || c == '\\':
			t[c] = 2
		case c >= 0x80:
			t[c] = 3
		default:
			t[c] = 1
		}
	}
	for _, c := range "\n\r\t\b\f" {
		t[c] = 2
	}
	return t
}()

const (
	longestInt = len("-9223372036854775808")
	// longestFloat is one with an exponent, or of up to 2^53 with a digit after the point.
	longestFloat = len("-1.234567890123456e-308")
	// wholeFloat is one that Fluent Bit writes with all its digits, up to 1.8e308.
	wholeFloat = 312
	// separators stand around a record.
	separators = len("{},\n")
)

// Size returns how long the records in b, Fluent Bit events one after the other, are as JSON,
// at most. It allocates nothing. What cannot be read counts with six bytes for each byte.
func Size(b []byte) (size int) {
	for len(b) > 0 {
		n, rest, err := msgp.ReadArrayHeaderBytes(b)
		if err != nil || n != 2 {
			return size + 6*len(b)
		}
		body, err := msgp.Skip(rest) // behind the time, which outputs write or not
		if err != nil {
			return size + 6*len(b)
		}
		v, next := value(body, 0)
		size += separators + v
		b = next
	}
	return size
}

// maxDepth is far beyond what our records have.
const maxDepth = 100

// value returns the size of the value at the start of b, and what follows it.
func value(b []byte, depth int) (size int, rest []byte) {
	kind := msgp.NextType(b)
	switch {
	case depth > maxDepth:
	case kind == msgp.StrType:
		if s, rest, err := msgp.ReadStringZC(b); err == nil {
			return text(s), rest
		}
	case kind == msgp.BinType:
		if s, rest, err := msgp.ReadBytesZC(b); err == nil {
			return text(s), rest
		}
	case kind == msgp.MapType:
		if n, rest, err := msgp.ReadMapHeaderBytes(b); err == nil {
			return values(rest, 2*int(n), depth)
		}
	case kind == msgp.ArrayType:
		if n, rest, err := msgp.ReadArrayHeaderBytes(b); err == nil {
			return values(rest, int(n), depth)
		}
	case kind == msgp.IntType, kind == msgp.UintType:
		if rest, err := msgp.Skip(b); err == nil {
			return longestInt, rest
		}
	case kind == msgp.Float64Type:
		if f, rest, err := msgp.ReadFloat64Bytes(b); err == nil {
			if math.Abs(f) > 1<<53 {
				return wholeFloat, rest
			}
			return longestFloat, rest
		}
	case kind == msgp.BoolType, kind == msgp.NilType:
		if rest, err := msgp.Skip(b); err == nil {
			return len("false"), rest
		}
	}
	if rest, err := msgp.Skip(b); err == nil && depth <= maxDepth { // an extension: \xff for each byte
		return 2 + 4*(len(b)-len(rest)), rest
	}
	return 6 * len(b), nil
}

// values is [value] for n values, each with a comma or a colon, and the brackets.
func values(b []byte, n, depth int) (size int, rest []byte) {
	size = 2
	for ; n > 0 && len(b) > 0; n-- {
		var v int
		v, b = value(b, depth+1)
		size += v + 1
	}
	return size, b
}

func text(s []byte) int {
	size := 2
	for _, c := range s {
		size += int(jsonBytes[c])
	}
	return size
}
