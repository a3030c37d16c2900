// Package chunks keeps Fluent Bit's chunks below the limit that a destination has for one
// request. Many outputs send a chunk as one request, and Fluent Bit has no setting for its
// size: a chunk takes records until it has more than 2 MB. What a destination refuses for
// its size is refused again at each retry.
//
// The only thing that keeps records of one input apart for certain is their tag: a chunk
// holds records of one tag (src/flb_input_chunk.c). Pauses between appends would not do,
// because a chunk takes more records as long as Fluent Bit has no task for it, and during an
// outage it runs out of tasks. So every chunk gets a tag of its own.
package chunks

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"sync"
	"sync/atomic"
)

// Limit is what one chunk may hold. The zero value is no limit.
type Limit struct {
	Size    int // bytes as JSON, see [Size]; 0: any
	Records int // 0: any
}

// None reports whether there is no limit.
func (l Limit) None() bool { return l == Limit{} }

// Exceeded reports whether so much is too much.
func (l Limit) Exceeded(size, records int) bool {
	return l.Size > 0 && size > l.Size || l.Records > 0 && records > l.Records
}

// process tells the tags of this process from those that an earlier one gave: its last
// chunk may still be open at the receiver of a sidecar.
var process = func() string {
	var b [4]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}()

// last is the number of the last chunk of this process. All instances share it, because
// two of them can send to one input of another Fluent Bit with the same tag.
var last atomic.Uint64

// Tags gives records the tag of a chunk with room for them. It is safe for concurrent use.
type Tags struct {
	limit Limit
	mu    sync.Mutex
	open  map[string]*load // by the base of the tag
}

// maxOpen bounds the memory for bases: those of an output can name containers, which come and
// go. There are about 200 types of events.
const maxOpen = 4096

// load is what was sent with a tag.
type load struct {
	tag           string
	size, records int
}

// NewTags returns the tags for a limit.
func NewTags(l Limit) *Tags { return &Tags{limit: l, open: make(map[string]*load)} }

// Tag returns base with a last part that names a chunk, such as zitadel.events.9f86d081-17.
// The records count as sent with it, even if sending fails: the receiver may have them.
func (t *Tags) Tag(base string, size, records int) string {
	if t.limit.None() {
		return base
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.open[base]
	if l == nil {
		if len(t.open) >= maxOpen {
			clear(t.open) // the next tags are new ones, which no chunk has
		}
		l = &load{}
		t.open[base] = l
	}
	if l.tag == "" || t.limit.Exceeded(l.size+size, l.records+records) {
		*l = load{tag: base + "." + process + "-" + strconv.FormatUint(last.Add(1), 36)}
	}
	l.size += size
	l.records += records
	return l.tag
}
