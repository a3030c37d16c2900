package detect

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/bounded"
	"github.com/zitadel-siem/zitadel-siem/internal/durable"
)

// State is a file with what the correlations of an engine know. It consists of lines: eight
// hexadecimal digits, a blank, and JSON. The digits are the CRC-32C of the JSON. The first
// line says what the file is. New lines are appended. When most of the file is outdated, a
// new file is written beside it and renamed into place.
//
// A crash can cut the last line. That is no error, because [State.Sync] had not returned yet.
type State struct {
	engine  *Engine
	path    string
	file    *os.File // nil: there is none yet
	lock    *durable.Lock
	pending []byte
	size    int // of the file
	base    int // of the file when it was last written anew
}

// maxState bounds the file that is read. JSON makes six bytes of some characters, so that an
// attacker can make a snapshot of 6 * MaxBytes. Appending ends at half of it.
const maxState = 1 << 30

// rewriteFrom is the size below which the file only grows.
const rewriteFrom = 1 << 20

var (
	// ErrDamaged: the file is not what was written.
	ErrDamaged = errors.New("the state file is damaged; restore it from a backup, or delete it: `pull` reads the counts of correlations again from ZITADEL then, and `detect` begins them anew")
	// ErrForeign: the file is something else.
	ErrForeign = errors.New("is no state file of detections; give another path")
)

const stateHead = `{"file":"zitadel-siem detections","version":1}`

// entry is a line of the file: an occurrence, what a silence heard, or a whole group.
type entry struct {
	Rule  string   `json:"r"`
	Group []string `json:"g,omitempty"`
	Part  int      `json:"p,omitempty"`
	At    int64    `json:"t,omitempty"`
	ID    string   `json:"e,omitempty"`
	Value string   `json:"v,omitempty"`
	IDs   []string `json:"i,omitempty"`

	Heard    int64 `json:"h,omitempty"`
	Reported bool  `json:"w,omitempty"`

	Muted   int64    `json:"m,omitempty"`
	Quiet   int64    `json:"q,omitempty"`
	Alerted bool     `json:"a,omitempty"`
	Fired   []string `json:"f,omitempty"`
	Count   int      `json:"c,omitempty"`
	First   int64    `json:"s,omitempty"`
	Owed    bool     `json:"o,omitempty"` // an earlier alert of a group
	Unsent  bool     `json:"u,omitempty"` // an alert that no event leads to again; Rule is only the id
	Sent    bool     `json:"d,omitempty"` // that the sink has the unsent alert with the id ID
}

// with returns a copy of n that describes f.
func (n entry) with(f *firing) entry {
	n.ID, n.At, n.Alerted, n.Fired, n.Count, n.First = f.firedBy, f.last, f.alerted, f.fired, f.count, f.first
	return n
}

// firing is what with has put into n.
func (n *entry) firing() firing {
	return firing{alerted: n.Alerted, firedBy: n.ID, fired: n.Fired, count: n.Count, first: n.First, last: n.At}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// OpenState reads the file at path and locks it. If there is none, the first [State.Sync] makes it.
// The engine must be new.
func OpenState(path string, e *Engine) (*State, error) {
	s, err := openState(path, e)
	if err != nil {
		return nil, fmt.Errorf("state of detections %q: %w", path, err)
	}
	return s, nil
}

func openState(path string, e *Engine) (_ *State, err error) {
	if !durable.ReplacesOpenFiles {
		return nil, errors.New("cannot be kept on Windows: run detect without a state, or on Linux")
	}
	lock, err := durable.TakeLock(path + ".lock")
	if err != nil {
		return nil, err
	}
	s := &State{engine: e, path: path, lock: lock}
	defer func() {
		if err != nil {
			_ = lock.Release()
		}
	}()
	content, _, err := bounded.ReadFile(path, maxState)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.note = s.note
		return s, nil
	case err != nil:
		return nil, err
	default:
		if err := s.replay(content); err != nil {
			return nil, err
		}
	}
	e.note = s.note
	return s, s.rewrite()
}

// IsNew reports whether there is no file yet.
func (s *State) IsNew() bool { return s.file == nil }

// note takes an entry of the engine. A new file begins with all that the engine knows then.
func (s *State) note(n *entry) {
	if s.file != nil {
		s.pending = appendEntry(s.pending, n)
	}
}

func appendEntry(b []byte, n *entry) []byte {
	text, err := json.Marshal(n)
	if err != nil {
		panic(err) // texts and numbers
	}
	return appendStateLine(b, text)
}

func appendStateLine(b, text []byte) []byte {
	var sum [4]byte
	crc := crc32.Checksum(text, castagnoli)
	for i := range sum {
		sum[i] = byte(crc >> (24 - 8*i))
	}
	b = hex.AppendEncode(b, sum[:])
	b = append(append(b, ' '), text...)
	return append(b, '\n')
}

// replay reads the lines of the file.
func (s *State) replay(content []byte) error {
	if len(content) == 0 {
		return ErrDamaged // every file has a first line
	}
	number := 0
	for len(content) > 0 {
		line, rest, whole := bytes.Cut(content, []byte{'\n'})
		if !whole && number > 0 {
			return nil // a crash cut it
		}
		text, ok := checked(line)
		switch {
		case number == 0 && (!ok || string(text) != stateHead):
			return ErrForeign
		case !ok:
			return fmt.Errorf("line %d: %w", number+1, ErrDamaged)
		case number > 0:
			var n entry
			if err := json.Unmarshal(text, &n); err != nil {
				return fmt.Errorf("line %d: %w", number+1, ErrDamaged)
			}
			s.engine.restore(&n)
		}
		content = rest
		number++
	}
	return nil
}

// checked returns the text of a line whose sum is right.
func checked(line []byte) (text []byte, ok bool) {
	if len(line) < 10 || line[8] != ' ' {
		return nil, false
	}
	text = line[9:]
	return text, bytes.Equal(appendStateLine(nil, text), append(slices.Clone(line), '\n'))
}

// restore applies an entry. It ignores entries of rules that were removed or changed.
func (e *Engine) restore(n *entry) {
	if n.Unsent || n.Sent {
		e.restoreUnsent(n)
		return
	}
	r := e.corrs[n.Rule]
	if r == nil || len(n.Group) != len(r.Correlation.GroupBy) || n.Part < 0 || n.Part >= len(r.Correlation.Rules) {
		return
	}
	e.now = time.Unix(0, n.At)
	g := e.group(r, n.Group)
	switch {
	case r.Correlation.Silence:
		g.heard, g.reported, g.firedBy, g.last = n.Heard, n.Reported, n.ID, n.At
	case n.Owed:
		g.owed = append(g.owed, n.firing())
	case n.Muted != 0:
		g.muted, g.quiet, g.firing, g.list = n.Muted, n.Quiet, n.firing(), nil
	default:
		e.add(g, occurrence{at: n.At, id: n.ID, value: n.Value, part: n.Part, ids: n.IDs})
	}
	e.measure(g)
	e.high = max(e.high, n.At)
	e.shrink(g)
}

// snapshot appends all that the engine knows. The group that was used last comes last.
func (e *Engine) snapshot(b []byte) []byte {
	for g := e.lru.prev; g != &e.lru; g = g.prev {
		if g.over(e.high, e.settled) && !g.rule.Correlation.Silence {
			continue
		}
		n := entry{Rule: g.ref(), Group: g.values}
		if g.rule.Correlation.Silence {
			n.ID, n.At, n.Heard, n.Reported = g.firedBy, g.last, g.heard, g.reported
			b = appendEntry(b, &n)
			continue
		}
		for i := range g.owed {
			if f := &g.owed[i]; f.unsettled(e.settled) {
				owed := n.with(f)
				owed.Owed = true
				b = appendEntry(b, &owed)
			}
		}
		if g.muted != 0 {
			last := n.with(&g.firing)
			last.Muted, last.Quiet = g.muted, g.quiet
			b = appendEntry(b, &last)
		}
		for i := range g.list {
			o := &g.list[i]
			b = appendEntry(b, &entry{Rule: n.Rule, Group: n.Group, Part: o.part, At: o.at, ID: o.id, Value: o.value, IDs: o.ids})
		}
	}
	for _, u := range e.unsent {
		n := u.entry()
		b = appendEntry(b, &n)
	}
	return b
}

// Sync makes durable what the engine has read. After an error it may be called again.
func (s *State) Sync() error {
	if len(s.pending) == 0 && s.file != nil {
		return nil
	}
	var err error
	if s.file == nil || s.size+len(s.pending) > min(max(rewriteFrom, 4*s.base), maxState/2) {
		err = s.rewrite()
	} else {
		err = s.append()
	}
	if err != nil {
		return fmt.Errorf("state of detections %q cannot be written: %w; make room or repair the directory", s.path, err)
	}
	return nil
}

func (s *State) append() error {
	if _, err := s.file.WriteAt(s.pending, int64(s.size)); err != nil {
		return err
	}
	if err := s.file.Sync(); err != nil {
		return err
	}
	s.size += len(s.pending)
	s.pending = s.pending[:0]
	return nil
}

func (s *State) rewrite() error {
	content := s.engine.snapshot(appendStateLine(nil, []byte(stateHead)))
	draft, err := durable.Create(s.path + ".new")
	if err != nil {
		return err
	}
	if err := draft.Write(content); err != nil {
		return err
	}
	if err := draft.Replace(s.path); err != nil {
		return err
	}
	if err := durable.SyncDir(filepath.Dir(s.path)); err != nil {
		return err
	}
	file, err := os.OpenFile(s.path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if s.file != nil {
		_ = s.file.Close()
	}
	s.file, s.size, s.base, s.pending = file, len(content), len(content), s.pending[:0]
	return nil
}

// Abandon closes the file without what was read since the last [State.Sync]. It is for alerts
// that were not delivered: the same records then give them again.
func (s *State) Abandon() error { return errors.Join(s.closeFile(), s.lock.Release()) }

// Close syncs and closes the file.
func (s *State) Close() error {
	err := errors.Join(s.Sync(), s.closeFile())
	return errors.Join(err, s.lock.Release())
}

func (s *State) closeFile() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
