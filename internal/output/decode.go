package output

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/tinylib/msgp/msgp"
)

// errShape says that a value of a chunk is no record. The next one may be.
var errShape = errors.New("not a record")

// The seconds of an EventTime that open and close a group of records
// (src/flb_log_event_decoder.c).
const (
	groupBegin = math.MaxUint32
	groupEnd   = math.MaxUint32 - 1
)

// event is one record of a chunk. Its slices point into the chunk.
type event struct {
	at       time.Time // zero where the record tells none
	marker   uint32    // groupBegin or groupEnd: it is no record
	metadata []byte
	body     []byte // a map
	// Of the group that it stands in, such as a resource of OTLP.
	groupMetadata, groupBody []byte
}

// next reads the record at the start of b: [[time, metadata], body], or the older
// [time, body]. Where the error is [errShape], rest is what follows; after any other
// error nothing of b can be read.
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

// cut takes the value at the start of b, which is known to be whole.
func cut(b []byte) (value, rest []byte) {
	rest, _ = msgp.Skip(b)
	return b[:len(b)-len(rest)], rest
}

// readTime reads an EventTime, or seconds as an integer or a float. Anything else is
// no time.
func readTime(b []byte) (e event, rest []byte) {
	value, rest := cut(b)
	switch msgp.NextType(value) {
	case msgp.IntType, msgp.UintType:
		if s, _, err := msgp.ReadInt64Bytes(value); err == nil && s >= 0 && s <= math.MaxUint32 {
			e.at = time.Unix(s, 0)
		}
	case msgp.Float64Type, msgp.Float32Type:
		if f, err := readFloat(value); err == nil && f >= 0 && f <= math.MaxUint32 {
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

func readFloat(b []byte) (float64, error) {
	if msgp.NextType(b) == msgp.Float32Type {
		f, _, err := msgp.ReadFloat32Bytes(b)
		return float64(f), err
	}
	f, _, err := msgp.ReadFloat64Bytes(b)
	return f, err
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
	name  []byte // text of the key; nil where the key is none
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
