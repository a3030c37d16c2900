package enrich

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The log of a small ZITADEL: every aggregate's events by sequence, each with a date that
// never falls. What an oracle knows of it is taken from the whole list at once.
type world struct {
	log []*event // in the order of sequences
	now int      // seconds after start
}

var modelIDs = []string{"1", "01", "2", "400712317102263334", "V2_1", "x/y"}

// draw makes the next event of a random aggregate.
func (w *world) draw(t *rapid.T) *event {
	id := rapid.SampledFrom(modelIDs).Draw(t, "id")
	kind := rapid.SampledFrom([]string{"user", "org", "session"}).Draw(t, "aggregate")
	sequence := uint64(1)
	for _, e := range w.log {
		if e.AggregateType == kind && e.AggregateID == id {
			sequence++
		}
	}
	w.now += rapid.SampledFrom([]int{0, 0, 1, 60, 4000}).Draw(t, "seconds")
	name := fmt.Sprintf("%s-%s-%d", kind, id, sequence)
	var e *event
	switch kind {
	case "user":
		switch rapid.IntRange(0, 5).Draw(t, "what") {
		case 0, 1:
			e = human(id, sequence, after(w.now), name, name+"@example.com", name)
		case 2:
			e = what("user.username.changed", kind, id, sequence, after(w.now), map[string]any{"userName": name})
		case 3:
			e = what("user.human.email.changed", kind, id, sequence, after(w.now), map[string]any{"email": name})
		case 4:
			e = what("user.human.profile.changed", kind, id, sequence, after(w.now), map[string]any{"displayName": name})
		default:
			e = what("user.removed", kind, id, sequence, after(w.now), nil)
		}
	case "org":
		e = what("org.changed", kind, id, sequence, after(w.now), map[string]any{"name": name})
	default:
		e = what("session.user.checked", kind, id, sequence, after(w.now), map[string]any{"userID": name})
	}
	w.log = append(w.log, e)
	return e
}

// knows says, by reading all of them, what the events teach of an id. last is the latest
// date of any event that was learned.
func knows(events []*event, aggregate, id string) (name, email, display string) {
	slices.SortFunc(events, func(a, b *event) int { return int(a.Sequence) - int(b.Sequence) })
	for _, e := range events {
		if e.AggregateType != aggregate || e.AggregateID != id {
			continue
		}
		text := func(key string) string { return e.Payload.GetFields()[key].GetStringValue() }
		switch e.Type {
		case "user.human.added":
			name, email, display = text("userName"), text("email"), text("displayName")
		case "user.username.changed":
			name = text("userName")
		case "user.human.email.changed":
			email = text("email")
		case "user.human.profile.changed":
			display = text("displayName")
		case "user.removed":
			name, email, display = "", "", ""
		case "org.changed":
			name = text("name")
		case "session.user.checked":
			name = text("userID")
		}
	}
	return name, email, display
}

// lastRemoved reports whether the newest of the events of a user is its removal.
func lastRemoved(events []*event, id string) bool {
	var newest *event
	for _, e := range events {
		if e.AggregateType == "user" && e.AggregateID == id && (newest == nil || e.Sequence > newest.Sequence) {
			newest = e
		}
	}
	return newest != nil && newest.Type == "user.removed"
}

func known(s *Store, aggregate, id string) (name, email, display string) {
	switch aggregate {
	case "user":
		u, _ := s.User(id)
		return u.Name, u.Email, u.DisplayName
	case "org":
		o, _ := s.Org(id)
		return o.Name, "", ""
	}
	x, _ := s.Session("session", id)
	return x.User, "", ""
}

// Whatever comes in whatever order, with crashes in between: what was learned before the
// last Sync is known, and once the rest was delivered again, everything is.
func TestModel(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		path := filepath.Join(dir, fmt.Sprint(n))
		s, err := Open(path, Options{Instance: instance})
		if err != nil {
			t.Fatal(err)
		}
		w := &world{}
		synced, learned := map[*event]bool{}, map[*event]bool{}
		var late []*event // drawn, not yet learned
		check := func(what string, events map[*event]bool) {
			list := slices.Collect(maps.Keys(events))
			for _, aggregate := range []string{"user", "org", "session"} {
				for _, id := range modelIDs {
					if aggregate == "user" && lastRemoved(list, id) {
						continue // may still answer, see leaving_test.go
					}
					a, b, c := knows(list, aggregate, id)
					x, y, z := known(s, aggregate, id)
					if a != x || b != y || c != z {
						t.Fatalf("%s: %s %s: known %q %q %q, want %q %q %q", what, aggregate, id, x, y, z, a, b, c)
					}
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"event":  func(t *rapid.T) { late = append(late, w.draw(t)) },
			"event2": func(t *rapid.T) { late = append(late, w.draw(t)) },
			"learn": func(t *rapid.T) { // pushed early, pulled late, or in order
				if len(late) == 0 {
					return
				}
				i := rapid.IntRange(0, len(late)-1).Draw(t, "which")
				s.Learn(late[i])
				learned[late[i]] = true
				late = slices.Delete(late, i, i+1)
			},
			"again": func(t *rapid.T) {
				if len(learned) > 0 {
					i := rapid.IntRange(0, len(w.log)-1).Draw(t, "which")
					if e := w.log[i]; learned[e] {
						s.Learn(e)
					}
				}
			},
			"sync": func(t *rapid.T) {
				if err := s.Sync(); err != nil {
					t.Fatal(err)
				}
				synced = maps.Clone(learned)
			},
			"rewrite": func(t *rapid.T) {
				if err := s.file.rewrite(s.snapshot); err != nil {
					t.Fatal(err)
				}
			},
			"restart": func(t *rapid.T) {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if s, err = Open(path, Options{Instance: instance}); err != nil {
					t.Fatal(err)
				}
				synced = maps.Clone(learned)
				check("after a restart", learned)
			},
			"crash": func(t *rapid.T) {
				// A part of what the next Sync would write is on disk.
				frame := appendFrame(nil, s.file.next, s.pending)
				cut := rapid.IntRange(0, len(frame)-1).Draw(t, "cut")
				size := s.file.size
				crash(s)
				b, err := os.ReadFile(path)
				if err != nil || int64(len(b)) != size {
					t.Fatal(err, len(b), size)
				}
				if err := os.WriteFile(path, append(b, frame[:cut]...), 0o600); err != nil {
					t.Fatal(err)
				}
				if s, err = Open(path, Options{Instance: instance}); err != nil {
					t.Fatal(err)
				}
				// A rewrite was ahead of the last Sync; then there is more, never less.
				for e := range learned {
					if !synced[e] {
						s.Learn(e)
					}
				}
				check("after a crash", learned)
			},
			"": func(t *rapid.T) { check("any time", learned) },
		})
		crash(s)
	})
}

// With room for few, some are not known; what is known is of the id that was asked for,
// and the bounds hold.
func TestModel_Evictions(t *testing.T) {
	s := fresh(t, Options{MaxBytes: MinBytes, MaxEntries: 40})
	rapid.Check(t, func(t *rapid.T) {
		for range 200 {
			i := rapid.IntRange(1, 300).Draw(t, "user")
			id := fmt.Sprint(i * 1_000_000_007)
			s.Learn(human(id, 1, start, "user-"+id, id+"@example.com", ""))
			if u, ok := s.User(id); !ok || u.Name != "user-"+id {
				t.Fatalf("%s was just learned: %+v", id, u)
			}
			other := fmt.Sprint(rapid.IntRange(1, 300).Draw(t, "other") * 1_000_000_007)
			if u, ok := s.User(other); ok && u.Name != "user-"+other {
				t.Fatalf("%s is known as %+v", other, u)
			}
			if st := s.Stats(); st.Entries > 40 || st.Bytes > MinBytes {
				t.Fatalf("%+v", st)
			}
		}
	})
	if s.Stats().Evicted == 0 {
		t.Error("nothing was evicted")
	}
}
