package verify

import (
	"errors"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/schema"
)

// line makes the record of an event as pull would, without what ZITADEL looks up when it is
// asked. It returns nil if the tier leaves the event out. The line is valid until the next call.
func (v *run) line(e *record.Event) []byte {
	e.LocalizedType, e.Editor.Service = "", ""
	if !schema.PartOfZITADEL(e.Editor.ID) { // there, a display name tells a user
		e.Editor.Name = ""
	}
	v.scratch = v.encoder.AppendLine(v.scratch[:0], e)
	if len(v.scratch) == 0 {
		return nil
	}
	return v.scratch
}

// expect adds an event to the table.
func (v *run) expect(e *record.Event) error {
	v.id = e.AppendID(v.id[:0])
	x := entry{id: v.hash.id(string(v.id)), second: uint32(e.Time.Unix())}
	inSpan := !e.Time.Before(v.o.From) && e.Time.Before(v.o.To) // a gap is filled with what comes
	if inSpan {
		v.result.ZITADEL.Events++
	}
	line := v.line(e)
	switch {
	case line == nil:
		if inSpan {
			v.result.ZITADEL.LeftOut++
		}
		x.shape = noShape
	case inSpan:
		x.flags = required
		fallthrough
	default:
		x.content, x.shape = v.hashExpected(gjson.ParseBytes(line))
	}
	return v.table.add(x)
}

func (v *run) hashExpected(r gjson.Result) (sum uint64, shape uint16) {
	if v.layout.format == IDs {
		return 0, 0
	}
	var set bitset
	complete := true
	v.fields.walk(r, func(path, value string, role role) {
		switch role {
		case open:
			bit, ok := v.shapes.give(path)
			complete = complete && ok
			if ok {
				set.add(bit)
			}
		case ignored:
			return
		}
		sum += v.hash.leaf(path, value)
	})
	if !complete {
		return sum, noShape
	}
	return sum, v.shapes.of(set)
}

// hashCopy is the hash of what the copy must have, and counts the fields that it has beside.
func (v *run) hashCopy(r gjson.Result, shape uint16) (sum uint64) {
	set := &v.shapes.sets[shape]
	v.fields.walk(r, func(path, value string, role role) {
		switch role {
		case open:
			if bit, ok := v.shapes.bit(path); !ok || !set.has(bit) {
				v.added.add(v.shapes.general(path))
				return
			}
		case ignored:
			return
		}
		sum += v.hash.leaf(path, value)
	})
	return sum
}

// errNoKey is an id that is not instance/type/id/sequence.
var errNoKey = errors.New("the id is not instance/aggregate type/aggregate id/sequence")

// keyOf splits an event.id.
func keyOf(id, instance string) (record.Key, error) {
	rest, ok := strings.CutPrefix(id, instance+"/")
	typ, rest, ok2 := strings.Cut(rest, "/")
	at := strings.LastIndexByte(rest, '/')
	if !ok || !ok2 || at < 0 {
		return record.Key{}, errNoKey
	}
	n, err := strconv.ParseUint(rest[at+1:], 10, 64)
	if err != nil {
		return record.Key{}, errNoKey
	}
	return record.Key{Instance: instance, AggregateType: typ, AggregateID: rest[:at], Sequence: n}, nil
}
