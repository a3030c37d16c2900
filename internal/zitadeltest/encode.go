package zitadeltest

import (
	"google.golang.org/protobuf/encoding/protowire"
)

// appendEvent appends one element of ListEventsResponse.events. Rows are encoded
// by hand, from parts that are encoded already, so that the cost of the server
// does not hide that of the reader; a test compares it with proto.Marshal.
func appendEvent(b []byte, r *row, lang string) []byte {
	b = protowire.AppendTag(b, 1, protowire.BytesType) // events
	size := len(b)
	// Two bytes hold lengths up to 16383; a longer event is moved once.
	b = append(b, 0, 0)
	start := len(b)

	sh := r.shape
	n := sizeString(sh.editorID) + sizeString(sh.editorName) + sizeString(editorService)
	b = protowire.AppendTag(b, 1, protowire.BytesType) // editor
	b = protowire.AppendVarint(b, uint64(n))
	b = appendString(b, 1, sh.editorID)
	b = appendString(b, 2, sh.editorName)
	b = appendString(b, 3, editorService)

	typ := catalogue().encoded(aggregateTypeKey, r.aggregate.typ, lang)
	n = sizeString(r.aggregate.id) + sizeField(len(typ)) + sizeString(sh.owner)
	b = protowire.AppendTag(b, 2, protowire.BytesType) // aggregate
	b = protowire.AppendVarint(b, uint64(n))
	b = appendString(b, 1, r.aggregate.id)
	b = protowire.AppendTag(b, 2, protowire.BytesType)
	b = protowire.AppendBytes(b, typ)
	b = appendString(b, 3, sh.owner)

	if r.sequence != 0 {
		b = protowire.AppendTag(b, 3, protowire.VarintType)
		b = protowire.AppendVarint(b, r.sequence)
	}

	b = protowire.AppendTag(b, 4, protowire.BytesType) // creation_date
	b = appendTimestamp(b, r.created)

	if sh.hasPayload {
		b = protowire.AppendTag(b, 5, protowire.BytesType)
		b = protowire.AppendString(b, sh.payload)
	}

	b = protowire.AppendTag(b, 6, protowire.BytesType) // type
	b = protowire.AppendBytes(b, catalogue().encoded(eventTypeKey, sh.typ, lang))

	return setLength(b, size, start)
}

// editorService is what ZITADEL says of every editor.
const editorService = "zitadel"

// setLength writes the length of b[start:] to b[size:start], two bytes.
func setLength(b []byte, size, start int) []byte {
	n := uint64(len(b) - start)
	switch w := protowire.SizeVarint(n); {
	case w == 2:
	case w < 2:
		copy(b[size+w:], b[start:])
		b = b[:len(b)-1]
	default:
		b = append(b, make([]byte, w-2)...)
		copy(b[size+w:], b[start:len(b)-(w-2)])
	}
	protowire.AppendVarint(b[size:size], n)
	return b
}

// appendTimestamp appends a length-prefixed google.protobuf.Timestamp.
func appendTimestamp(b []byte, micros int64) []byte {
	seconds, nanos := micros/1e6, micros%1e6*1e3
	if nanos < 0 {
		seconds, nanos = seconds-1, nanos+1e9
	}
	n := 0
	if seconds != 0 {
		n += 1 + protowire.SizeVarint(uint64(seconds))
	}
	if nanos != 0 {
		n += 1 + protowire.SizeVarint(uint64(nanos))
	}
	b = protowire.AppendVarint(b, uint64(n))
	if seconds != 0 {
		b = protowire.AppendTag(b, 1, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(seconds))
	}
	if nanos != 0 {
		b = protowire.AppendTag(b, 2, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(nanos))
	}
	return b
}

// sizeField is the size of a length-delimited field with a number below 16.
func sizeField(n int) int { return 1 + protowire.SizeBytes(n) }

func sizeString(s string) int {
	if s == "" {
		return 0
	}
	return sizeField(len(s))
}
