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

// groupMarker is the second of an EventTime that opens (all ones) or closes a
// group of records (src/flb_log_event_decoder.c).
const groupMarker = math.MaxUint32 - 1

// event is one record of a chunk. Its slices point into the chunk.
type event struct {
	at       time.Time
	group    bool // no record, but the begin or end of a group
	metadata []byte
	body     []byte // a map
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
	if msgp.NextType(b) == msgp.ArrayType {
		if n, b, err = msgp.ReadArrayHeaderBytes(b); err != nil || n != 2 {
			return event{}, rest, errShape
		}
		if e, b, err = readTime(b); err != nil {
			return event{}, rest, errShape
		}
		e.metadata = b
		b, _ = msgp.Skip(b)
		e.metadata = e.metadata[:len(e.metadata)-len(b)]
	} else if e, b, err = readTime(b); err != nil {
		return event{}, rest, errShape
	}
	if msgp.NextType(b) != msgp.MapType {
		return event{}, rest, errShape
	}
	e.body = b[:len(b)-len(rest)]
	return e, rest, nil
}

// readTime reads an EventTime, or seconds as an integer or a float.
func readTime(b []byte) (e event, rest []byte, err error) {
	switch msgp.NextType(b) {
	case msgp.IntType, msgp.UintType:
		s, rest, err := msgp.ReadInt64Bytes(b)
		if err != nil || s < 0 || s > math.MaxUint32 {
			return event{}, b, errShape
		}
		return event{at: time.Unix(s, 0)}, rest, nil
	case msgp.Float64Type, msgp.Float32Type:
		f, rest, err := readFloat(b)
		if err != nil || !(f >= 0 && f <= math.MaxUint32) {
			return event{}, b, errShape
		}
		s := math.Floor(f)
		return event{at: time.Unix(int64(s), int64((f-s)*1e9))}, rest, nil
	}
	stamp, rest := eventTime(b)
	if stamp == nil {
		return event{}, b, errShape
	}
	s, ns := binary.BigEndian.Uint32(stamp), binary.BigEndian.Uint32(stamp[4:])
	if s >= groupMarker && ns == 0 {
		return event{group: true}, rest, nil
	}
	return event{at: time.Unix(int64(s), int64(ns))}, rest, nil
}

// eventTime returns the eight bytes of an extension of type 0, or nil.
func eventTime(b []byte) (stamp, rest []byte) {
	switch {
	case len(b) >= 10 && b[0] == 0xd7 && b[1] == 0: // fixext 8
		return b[2:10], b[10:]
	case len(b) >= 11 && b[0] == 0xc7 && b[1] == 8 && b[2] == 0: // ext 8
		return b[3:11], b[11:]
	}
	return nil, b
}

func readFloat(b []byte) (float64, []byte, error) {
	if msgp.NextType(b) == msgp.Float32Type {
		f, rest, err := msgp.ReadFloat32Bytes(b)
		return float64(f), rest, err
	}
	return msgp.ReadFloat64Bytes(b)
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
