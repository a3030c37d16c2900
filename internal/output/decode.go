package output

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/tinylib/msgp/msgp"
)

// errShape means that one value of a chunk is not a record. The values after it can
// still be read.
var errShape = errors.New("not a record")

// Fluent Bit marks the begin and the end of a group of records by these seconds in an
// EventTime (src/flb_log_event_decoder.c).
const (
	groupBegin = math.MaxUint32
	groupEnd   = math.MaxUint32 - 1
)

// event is one record of a chunk. Its slices point into the chunk.
type event struct {
	at       time.Time // zero if the record has no time
	marker   uint32    // groupBegin or groupEnd; 0 for a record
	metadata []byte
	body     []byte // a map
	// From the group around the record, for example a resource of OTLP.
	groupMetadata, groupBody []byte
}

// next reads the record at the start of b: [[time, metadata], body], or the older
// [time, body]. With [errShape], rest is valid. After any other error, nothing more of b
// can be read.
func next(b []byte) (e event, rest []byte, err error) {
	rest, err = msgp.Skip(b)
	if err != nil {
		return event{}, b, err
	}
	n, b, err := msgp.ReadArrayHeaderBytes(b)
	if err != nil || n != 2 {
		return event{}, rest, errShape
	}
	withMetadata := msgp.NextType(b) == msgp.ArrayType
	if withMetadata {
		if n, b, err = msgp.ReadArrayHeaderBytes(b); err != nil || n != 2 {
			return event{}, rest, errShape
		}
	}
	e, b = readTime(b)
	if withMetadata {
		e.metadata, b = cut(b)
	}
	if msgp.NextType(b) != msgp.MapType {
		return event{}, rest, errShape
	}
	e.body = b[:len(b)-len(rest)]
	return e, rest, nil
}

// cut splits b behind its first value. The caller knows that the value is complete;
// otherwise all of b is the value.
func cut(b []byte) (value, rest []byte) {
	rest, err := msgp.Skip(b)
	if err != nil {
		rest = b[len(b):]
	}
	return b[:len(b)-len(rest)], rest
}

// readTime reads an EventTime, or seconds as an integer or a float. For anything else
// the time is zero.
func readTime(b []byte) (e event, rest []byte) {
	value, rest := cut(b)
	switch msgp.NextType(value) {
	case msgp.IntType, msgp.UintType:
		if s, _, err := msgp.ReadInt64Bytes(value); err == nil && s >= 0 && s <= math.MaxUint32 {
			e.at = time.Unix(s, 0)
		}
	case msgp.Float64Type, msgp.Float32Type:
		if f, _, err := msgp.ReadFloat64Bytes(value); err == nil && f >= 0 && f <= math.MaxUint32 {
			s := math.Floor(f)
			e.at = time.Unix(int64(s), int64((f-s)*1e9))
		}
	default:
		stamp := eventTime(value)
		if stamp == nil {
			break
		}
		s, ns := binary.BigEndian.Uint32(stamp), binary.BigEndian.Uint32(stamp[4:])
		if s >= groupEnd && ns == 0 {
			e.marker = s
		} else {
			e.at = time.Unix(int64(s), int64(ns))
		}
	}
	return e, rest
}

// eventTime returns the eight bytes of an extension of type 0, or nil.
func eventTime(b []byte) (stamp []byte) {
	switch {
	case len(b) >= 10 && b[0] == 0xd7 && b[1] == 0: // fixext 8
		return b[2:10]
	case len(b) >= 11 && b[0] == 0xc7 && b[1] == 8 && b[2] == 0: // ext 8
		return b[3:11]
	}
	return nil
}

// readText returns the bytes of a str or bin, or false.
func readText(b []byte) (text []byte, ok bool) {
	var err error
	switch msgp.NextType(b) {
	case msgp.StrType:
		text, _, err = msgp.ReadStringZC(b)
	case msgp.BinType:
		text, _, err = msgp.ReadBytesZC(b)
	default:
		return nil, false
	}
	return text, err == nil
}

// field is one entry of a map, encoded.
type field struct {
	name  []byte // the key as text; nil if the key is not a string
	key   []byte
	value []byte
}

// appendFields appends the entries of the map at the start of b to fields.
func appendFields(fields []field, b []byte) []field {
	n, b, err := msgp.ReadMapHeaderBytes(b)
	for ; n > 0 && err == nil; n-- {
		var f field
		f.key = b
		f.name, _ = readText(b)
		if b, err = msgp.Skip(b); err != nil {
			break
		}
		f.key, f.value = f.key[:len(f.key)-len(b)], b
		if b, err = msgp.Skip(b); err != nil {
			break
		}
		f.value = f.value[:len(f.value)-len(b)]
		fields = append(fields, f)
	}
	return fields
}
