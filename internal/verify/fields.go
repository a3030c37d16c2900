package verify

import (
	"hash/maphash"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/tidwall/gjson"

	"github.com/zitadel-siem/zitadel-siem/internal/schema"
)

// role is what a field of a record means for the comparison.
type role uint8

const (
	// open fields must be in the copy as the event has them. The copy may have others beside
	// them: names from earlier events, addresses of API calls, and what the SIEM adds.
	open role = iota
	// closed fields are all that the copy may have at their place: the event's own data.
	closed
	// ignored fields are not determined by the event: when it was read, by which way it came,
	// names that ZITADEL looks up when it is asked, constants of this program.
	ignored
)

// rawRole is the role of a field in the format raw. source and instance can be labels of Loki,
// which leave the line; the instance is also in the id.
func rawRole(path string) role {
	switch path {
	case "event.read_at", "event.type_localized", "editor.name", "editor.service", "source", "instance":
		return ignored
	}
	if under(path, "payload") || under(path, "aggregate") || under(path, "editor") {
		return closed
	}
	return open
}

func ecsRole(path string) role {
	switch path {
	case "event.created", "event.provider", "zitadel.instance":
		return ignored
	}
	switch {
	case under(path, "ecs"), under(path, "service"), under(path, "observer"), under(path, "related"):
		return ignored
	case under(path, "zitadel.details"), under(path, "zitadel.aggregate"):
		return closed
	}
	return open
}

// resources and the user of an entity move when names are filled in. What they say is in
// unmapped.aggregate and user.
func ocsfRole(path string) role {
	switch path {
	case "metadata.logged_time", "metadata.log_provider", "metadata.version", "metadata.tenant_uid", "timezone_offset":
		return ignored
	}
	switch {
	case under(path, "metadata.product"), under(path, "resources"), under(path, "entity.user"):
		return ignored
	case under(path, "unmapped.details"), under(path, "unmapped.aggregate"):
		return closed
	}
	return open
}

// under reports whether path is at or below parent.
func under(path, parent string) bool {
	return strings.HasPrefix(path, parent) && (len(path) == len(parent) || path[len(parent)] == '.')
}

// placeholder reports whether OCSF has the value only because the schema requires one. Where
// names are filled in, the copy has more.
func placeholder(path, v string) bool {
	switch path {
	case "user.name", "entity.name", "actor.app_name", "src_endpoint.name", "privileges.0":
		return v == "unknown"
	case "service.name":
		return v == schema.Product
	case "user.type_id":
		return v == "0"
	}
	return false
}

// fields are those of one format.
type fields struct {
	format   string
	role     func(path string) role
	original string // path of the event as a text of JSON; "" if it is not compared
	// anyKey lets pseudonyms differ: they are of different keys.
	anyKey bool
	path   []byte
	number []byte
}

func newFields(format string, keepOriginal bool) *fields {
	f := &fields{format: format, role: rawRole}
	switch format {
	case ECS:
		f.role = ecsRole
		f.original = "event.original"
	case OCSF:
		f.role = ocsfRole
		f.original = "raw_data"
	}
	if !keepOriginal {
		f.original = ""
	}
	return f
}

// leaf is a value without members. The texts are valid until the function returns.
type leaf func(path, value string, r role)

// walk calls f for every leaf of a record. Empty maps, empty lists and null are left out:
// exporters drop them.
func (f *fields) walk(v gjson.Result, fn leaf) {
	f.path = f.path[:0]
	f.object(v, fn, "", 0)
}

// maxPath bounds the bytes of the names above a leaf. Each leaf is hashed with its path, so that
// a long name above many leaves would cost their product. Paths of events are shorter.
const maxPath = 1024

func (f *fields) object(v gjson.Result, fn leaf, original string, depth int) {
	if depth > maxDepth {
		return
	}
	end := len(f.path)
	index := 0
	list := v.IsArray()
	v.ForEach(func(k, member gjson.Result) bool {
		if end > 0 {
			f.path = append(f.path, '.')
		}
		if list {
			f.path = strconv.AppendInt(f.path, int64(index), 10)
			index++
		} else {
			f.path = append(f.path, k.Str...)
		}
		f.value(member, fn, original, depth)
		f.path = f.path[:end]
		return true
	})
}

func (f *fields) value(v gjson.Result, fn leaf, original string, depth int) {
	if (v.IsObject() || v.IsArray()) && len(f.path) <= maxPath {
		f.object(v, fn, original, depth+1)
		return
	}
	if v.Type == gjson.Null {
		return
	}
	path := unsafe.String(unsafe.SliceData(f.path), len(f.path))
	if original != "" {
		if r := rawRole(path[len(original)+1:]); r == ignored {
			fn(path, v.Str, ignored)
		} else {
			fn(path, f.canonical(path, v), closed)
		}
		return
	}
	if path == "event.original" || path == "raw_data" {
		if f.original == path && v.Type == gjson.String && !tooDeep(v.Str) && gjson.Valid(v.Str) {
			f.object(gjson.Parse(v.Str), fn, f.original, depth+1)
			return
		}
		if f.original == "" {
			fn(path, v.Str, ignored)
			return
		}
	}
	text := f.canonical(path, v)
	r := f.role(path)
	if f.format == OCSF && placeholder(path, text) {
		r = ignored
	}
	fn(path, text, r)
}

// canonical is a value as text. 4, 4.0 and "4" are the same: some exporters write numbers as
// texts. The time of an ECS record has milliseconds in many SIEMs.
func (f *fields) canonical(path string, v gjson.Result) string {
	switch v.Type {
	case gjson.Number:
		if n, err := strconv.ParseFloat(v.Raw, 64); err == nil {
			f.number = strconv.AppendFloat(f.number[:0], n, 'f', -1, 64)
			return unsafe.String(unsafe.SliceData(f.number), len(f.number))
		}
		return v.Raw
	case gjson.True:
		return "true"
	case gjson.False:
		return "false"
	case gjson.JSON: // below maxPath
		return v.Raw
	}
	switch path {
	case "@timestamp", "event.time", "metadata.original_time":
		if t, err := time.Parse(time.RFC3339Nano, v.Str); err == nil {
			form := time.RFC3339Nano
			if path == "@timestamp" {
				t, form = t.Truncate(time.Millisecond), "2006-01-02T15:04:05.000Z"
			}
			f.number = t.UTC().AppendFormat(f.number[:0], form)
			return unsafe.String(unsafe.SliceData(f.number), len(f.number))
		}
	}
	return v.Str
}

// hasher hashes leaves with a seed of this run.
type hasher struct {
	seed maphash.Seed
	buf  []byte
}

func newHasher() *hasher { return &hasher{seed: maphash.MakeSeed()} }

func (h *hasher) id(id string) uint64 { return maphash.String(h.seed, id) }

// leaf hashes a path and a value. The sum of the leaves does not depend on their order.
func (h *hasher) leaf(path, value string) uint64 {
	h.buf = append(h.buf[:0], byte(len(path)), byte(len(path)>>8), byte(len(path)>>16), byte(len(path)>>24))
	h.buf = append(append(h.buf, path...), value...)
	return maphash.Bytes(h.seed, h.buf)
}

// shapes number the sets of open fields that records have. A list counts as one field.
type shapes struct {
	bits   map[string]int
	number map[bitset]uint16
	sets   []bitset
	name   []byte
}

// bitset has a bit for each open field. The formats have fewer; what finds no place is
// compared field by field.
type bitset [4]uint64

func (b *bitset) add(i int)      { b[i/64] |= 1 << (i % 64) }
func (b *bitset) has(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }

const (
	maxBits = 256
	// noShape is the number of records that have too many fields, or too many sets of them.
	noShape = 1<<16 - 1
)

func newShapes() *shapes { return &shapes{bits: map[string]int{}, number: map[bitset]uint16{}} }

// bit returns the bit of a path, or false if it has none.
func (s *shapes) bit(path string) (int, bool) {
	i, ok := s.bits[s.general(path)]
	return i, ok
}

// give is bit for a path that may be new.
func (s *shapes) give(path string) (int, bool) {
	general := s.general(path)
	i, ok := s.bits[general]
	if !ok && len(s.bits) < maxBits {
		i, ok = len(s.bits), true
		s.bits[strings.Clone(general)] = i
	}
	return i, ok
}

func (s *shapes) of(set bitset) uint16 {
	n, ok := s.number[set]
	if !ok {
		if len(s.sets) == noShape {
			return noShape
		}
		n = uint16(len(s.sets))
		s.sets = append(s.sets, set)
		s.number[set] = n
	}
	return n
}

// general is a path without the numbers of elements. The result is valid until the next call.
func (s *shapes) general(path string) string {
	digits := false
	for i := 1; i < len(path); i++ {
		if path[i-1] == '.' && path[i] >= '0' && path[i] <= '9' {
			digits = true
			break
		}
	}
	if !digits {
		return path
	}
	s.name = s.name[:0]
	for part := range strings.SplitSeq(path, ".") {
		if len(s.name) > 0 {
			s.name = append(s.name, '.')
		}
		if part != "" && strings.Trim(part, "0123456789") == "" {
			part = "#"
		}
		s.name = append(s.name, part...)
	}
	return unsafe.String(unsafe.SliceData(s.name), len(s.name))
}
