package enrich

import (
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"os"
	"time"
)

const (
	// DefaultBytes has room for a million users beside the sessions.
	DefaultBytes = 80 << 20
	// DefaultEntries allows 64 bytes for each entry.
	DefaultEntries = DefaultBytes / 64
	// MinBytes is the least [Options.MaxBytes].
	MinBytes = 1 << 20

	// Grace is the time after a removal in which the name is still returned, by the creation
	// dates of events. The option overlap is not longer.
	Grace = time.Hour
	// Day is how much time of events may pass before a forgotten name leaves the file.
	Day = 24 * time.Hour
)

// Shares of MaxBytes and MaxEntries: sessions get a fifth of the entries.
const (
	flowShare = 5
	dictShare = 64 // of the bytes, and not more than
	maxDict   = 1 << 20
)

// Options of a store.
type Options struct {
	// Instance is the label of the ZITADEL instance. Events and files of another one are
	// refused.
	Instance string
	// MaxBytes bounds the memory of entries; 0 is [DefaultBytes]. A cache of the entries
	// looked up last takes about 1 MiB more. The file may become three times as large.
	MaxBytes int
	// MaxEntries bounds the number of ids; 0 is MaxBytes / 64.
	MaxEntries int
	// Fsync makes a file or a directory durable; nil is (*os.File).Sync.
	Fsync func(*os.File) error
	// Log gets a message about a file that a crash had cut; nil: none.
	Log *slog.Logger
}

// Stats says how much is known.
type Stats struct {
	Entries int    // ids that something is known of
	Bytes   int    // of memory, at most MaxBytes
	File    int64  // bytes of the file
	Evicted uint64 // entries that had to go since Open
}

// Store is what was learned of one instance. It is used by one goroutine.
type Store struct {
	instance string
	log      *slog.Logger
	rules    map[string][]rule
	names    *ring // what lasts
	flows    *ring // what comes and goes with a login
	dict     *dict
	hot      hot
	leaving  leaving
	file     *journal
	// epoch counts changes that affect other entries: of parts of login names, and of
	// organisations and projects that are forgotten. It begins at 1.
	epoch uint64

	pending       []byte // entries that the file lacks
	writing       []byte // the same, older: a sync writes them, or failed to
	rewriting     int64  // since when, by leaving.now, a sync writes the file anew; 0: none does
	fileSize      int64  // as of the last sync
	key, body     []byte // scratch, as the rest
	reader        reader
	taught, known entry
}

// Open reads the file at path, or creates it. Errors name the file and what to do; see
// [ErrDamaged] and [ErrForeign]. A file that a crash cut during a write is no error.
func Open(path string, o Options) (*Store, error) {
	s, err := newStore(o)
	if err != nil {
		return nil, fmt.Errorf("names %q: %w", path, err)
	}
	if o.Fsync == nil {
		o.Fsync = (*os.File).Sync
	}
	s.file, err = openJournal(path, o.Instance, o.Fsync, s.log, s.replay)
	if err != nil {
		return nil, fmt.Errorf("names %q: %w", path, err)
	}
	s.fileSize = s.file.size
	s.leaving.sort() // the file has another order
	return s, nil
}

// New returns a store without a file. What it knows is lost when the process ends.
func New(o Options) (*Store, error) { return newStore(o) }

func newStore(o Options) (*Store, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultBytes
	}
	if o.MaxEntries == 0 {
		o.MaxEntries = o.MaxBytes / 64
	}
	if o.MaxBytes < MinBytes || o.MaxBytes > 4<<30-1 {
		return nil, fmt.Errorf("%d bytes of memory are out of range, give %d (1 MiB) to 4294967295", o.MaxBytes, MinBytes)
	}
	if o.MaxEntries < 16 || o.MaxEntries > o.MaxBytes/16 {
		return nil, fmt.Errorf("%d entries do not fit %d bytes, give 16 to %d", o.MaxEntries, o.MaxBytes, o.MaxBytes/16)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	dictBytes := min(o.MaxBytes/dictShare, maxDict)
	flowBytes, flowEntries := o.MaxBytes/flowShare, o.MaxEntries/flowShare
	s := &Store{
		instance: o.Instance, log: o.Log, epoch: 1, rules: compiled().byType, dict: newDict(dictBytes),
		names: newRing(o.MaxBytes-flowBytes-dictBytes, o.MaxEntries-flowEntries),
		flows: newRing(flowBytes, flowEntries),
	}
	s.hot.seed = maphash.MakeSeed()
	s.names.spare, s.flows.spare = s.hot.spare, s.hot.spare
	return s, nil
}

func (s *Store) ringOf(k kind) *ring {
	if k >= kindSession {
		return s.flows
	}
	return s.names
}

// address makes the key of an id and its hash.
func (s *Store) address(k kind, id string) (r *ring, hash uint64) {
	s.key = appendKey(s.key[:0], k, id)
	r = s.ringOf(k)
	return r, r.hash(s.key)
}

// learn merges n into what is known and keeps the change for the file.
func (s *Store) learn(n *entry) {
	if s.apply(n) && s.file != nil {
		s.body = n.appendBody(append(s.body[:0], s.key...), nil)
		s.pending = appendEntry(s.pending, s.body)
	}
}

// apply merges n into what is known. Afterwards s.key is the key of n.
func (s *Store) apply(n *entry) (changed bool) {
	r, at := s.address(n.kind, n.id)
	slot := s.warmed(n, r, at)
	if slot == nil {
		n.settle()
		s.learned(n, r, at, "")
		return true
	}
	e := &slot.e
	domain := e.f[fDomain]
	if changed = e.merge(n); changed {
		slot.epoch = 0
		s.learned(e, r, at, domain)
	}
	if e.hidden() {
		e.kind = 0
	}
	return changed
}

// warmed returns the slot of an entry that is known, also if it is hidden. An id that an
// event teaches is often looked up or taught again soon.
func (s *Store) warmed(n *entry, r *ring, at uint64) *hotSlot {
	hash := s.hot.hash(n.kind, n.id)
	slot := s.hot.get(hash, n.kind, n.id)
	if slot != nil && !slot.unknown {
		return slot
	}
	if slot != nil {
		slot.e.kind = 0
	}
	body, ok := r.get(s.key, at)
	if !ok {
		return nil
	}
	slot = s.hot.take(hash)
	slot.e.read(n.kind, n.id, body, s)
	return slot
}

// learned keeps a changed entry. domain is the domain before the change.
func (s *Store) learned(e *entry, r *ring, at uint64, domain string) {
	if e.kind == kindPolicy || e.f[fDomain] != domain {
		s.epoch++ // login names change
	}
	if e.gone > 0 && e.kind == kindPolicy {
		e.forget() // no name, and it would go on to decide
	}
	s.put(r, at, e)
	if e.gone > 0 && !e.forgotten {
		s.leaving.add(e)
	} else {
		s.owner(e)
	}
}

// put writes e under the key that address made.
func (s *Store) put(r *ring, hash uint64, e *entry) {
	s.body = e.appendBody(s.body[:0], s.dict)
	r.put(s.key, hash, s.body)
}

// read decodes a body of the store.
func (e *entry) read(k kind, id string, body []byte, s *Store) {
	*e = entry{kind: k, id: id}
	if err := e.decode(body, s.dict, &s.reader); err != nil {
		panic(err) // the store's own bytes
	}
}

// replay applies one entry of the file.
func (s *Store) replay(b []byte) error {
	k, id, body, err := splitKey(b)
	if err != nil {
		return err
	}
	e := &s.taught
	*e = entry{kind: k, id: id}
	if err := e.decode(body, nil, &s.reader); err != nil {
		return err
	}
	s.apply(e)
	return nil
}

// Sync makes what was learned durable. After an error it may be called again, and nothing
// that was learned is lost in between.
func (s *Store) Sync() error { return s.EndSync(s.BeginSync()()) }

// BeginSync and EndSync are [Store.Sync] in three steps, for a store that is behind a lock.
// The function that BeginSync returns writes to the disk. It may run concurrently with every
// other method except these two and Close. EndSync gets its error.
func (s *Store) BeginSync() (write func() error) {
	s.writing, s.pending = append(s.writing, s.pending...), s.pending[:0]
	switch {
	case s.file == nil:
		return func() error { return nil }
	case s.file.due(s.leaving.stale(), s.names, s.flows):
		draft, err := s.file.draft(s.snapshot)
		s.leaving.forgotten, s.rewriting = false, max(1, s.leaving.now)
		return func() error {
			if err != nil {
				return err
			}
			return s.file.replace(draft)
		}
	case len(s.writing) == 0:
		return func() error { return nil }
	}
	return func() error { return s.file.append(s.writing) }
}

// EndSync ends what BeginSync began.
func (s *Store) EndSync(err error) error {
	if s.file == nil {
		return nil
	}
	rewriting := s.rewriting
	s.rewriting, s.fileSize = 0, s.file.size
	if err != nil {
		s.leaving.forgotten = s.leaving.forgotten || rewriting > 0
		return fmt.Errorf("names %q cannot be written: %w; make room or repair the directory", s.file.path, err)
	}
	if s.writing = s.writing[:0]; rewriting > 0 {
		s.leaving.rewritten = rewriting
	}
	return nil
}

// snapshot yields all that is known, encoded for the file.
func (s *Store) snapshot(yield func(entry []byte) bool) {
	var e entry
	var one []byte
	for _, r := range []*ring{s.names, s.flows} {
		for key, body := range r.all {
			k, id, _, err := splitKey(key)
			if err != nil {
				panic(err) // the store's own bytes
			}
			if e.read(k, id, body, s); s.leaving.left(&e) {
				continue
			}
			if one = e.appendBody(append(one[:0], key...), nil); !yield(one) {
				return
			}
		}
	}
}

// Stats returns how much is known.
func (s *Store) Stats() Stats {
	x := Stats{
		Entries: s.names.index.count + s.flows.index.count,
		Bytes:   s.names.bytes() + s.flows.bytes() + s.dict.bytes,
		Evicted: s.names.evicted + s.flows.evicted,
	}
	if s.file != nil {
		x.File = s.fileSize
	}
	return x
}

// Close syncs and closes the file.
func (s *Store) Close() error {
	if s.file == nil {
		return nil
	}
	return errors.Join(s.Sync(), s.file.close())
}
