package enrich

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
)

// The ring against a map: everything that was not evicted is found, nothing else is, and
// the counts of bytes and entries are right after every change.
func TestRing_AgainstAMap(t *testing.T) {
	for _, bound := range []struct{ bytes, entries int }{{1 << 20, 1000}, {40 << 10, 3000}, {24 << 10, 500}} {
		r := newRing(bound.bytes, bound.entries)
		random := rand.New(rand.NewPCG(1, uint64(bound.bytes)))
		want := map[string][]byte{}
		for i := range 60_000 {
			key := appendKey(nil, kind(1+random.IntN(int(kinds)-1)), fmt.Sprint(random.IntN(400)+1))
			hash := r.hash(key)
			switch random.IntN(6) {
			case 0:
				r.remove(key, hash)
				delete(want, string(key))
			case 1, 2:
				body, ok := r.get(key, hash)
				if known, was := want[string(key)]; ok && (!was || !bytes.Equal(known, body)) {
					t.Fatalf("step %d: found %x, want %x", i, body, known)
				}
			default:
				body := bytes.Repeat([]byte{byte(i)}, 1+random.IntN(200))
				r.put(key, hash, body)
				want[string(key)] = body
				if got, ok := r.get(key, hash); !ok || !bytes.Equal(got, body) {
					t.Fatalf("step %d: just written, found %x", i, got)
				}
			}
			if r.index.count > bound.entries {
				t.Fatalf("step %d: %d entries", i, r.index.count)
			}
			if i%500 != 0 {
				continue
			}
			found := map[string][]byte{}
			for key, body := range r.all {
				if _, twice := found[string(key)]; twice {
					t.Fatalf("step %d: %x is there twice", i, key)
				}
				found[string(key)] = bytes.Clone(body)
				if !bytes.Equal(want[string(key)], body) {
					t.Fatalf("step %d: %x is %x, want %x", i, key, body, want[string(key)])
				}
				if got, ok := r.get(key, r.hash(key)); !ok || !bytes.Equal(got, body) {
					t.Fatalf("step %d: %x is not found", i, key)
				}
			}
			if len(found) != r.index.count {
				t.Fatalf("step %d: %d entries, %d counted", i, len(found), r.index.count)
			}
			want = found
		}
		if r.bytes() > bound.bytes {
			t.Errorf("%d bytes, at most %d", r.bytes(), bound.bytes)
		}
		t.Logf("%+v: %d evicted, %d segments", bound, r.evicted, len(r.segs))
	}
}

// What is used stays while a flood of others goes by.
func TestRing_UsedStays(t *testing.T) {
	r := newRing(1<<20, 1000)
	key := func(i int) []byte { return appendKey(nil, kindUser, fmt.Sprint(i)) }
	put := func(i int) { r.put(key(i), r.hash(key(i)), []byte("body")) }
	for i := range 1000 {
		put(1 + i)
	}
	for i := range 20_000 {
		if i%100 == 0 {
			for j := range 50 {
				if _, ok := r.get(key(1+j), r.hash(key(1+j))); !ok {
					t.Fatalf("after %d others, %d is gone", i, j)
				}
			}
		}
		put(10_000 + i)
	}
	if _, ok := r.get(key(900), r.hash(key(900))); ok {
		t.Error("what was not used is still there")
	}
}

// A flood of sessions evicts no name.
func TestStore_SessionsEvictNoNames(t *testing.T) {
	s := fresh(t, Options{MaxBytes: MinBytes})
	s.Learn(human("1", 1, start, "ann", "", ""))
	for i := range 20_000 {
		s.Learn(what("auth_request.added", "auth_request", fmt.Sprint("V2_", i), 1, start, map[string]any{"client_id": "x"}))
	}
	wantUser(t, s, "1", "ann")
	if s.Stats().Evicted == 0 {
		t.Error("nothing was evicted")
	}
}

// What is asked for again and again is answered without the ring, and stays in it even so.
func TestStore_WhatIsHotStays(t *testing.T) {
	s := fresh(t, Options{MaxBytes: MinBytes, MaxEntries: 100})
	for i := range 2000 {
		for _, id := range []string{"1", "V2_x"} {
			if i == 0 {
				s.Learn(human(id, 1, start, "ann", "", ""))
			}
			wantUser(t, s, id, "ann")
			r, at := s.address(kindUser, id)
			if _, ok := r.find(s.key, at); !ok {
				t.Fatalf("%s was evicted after %d others", id, i)
			}
		}
		s.Learn(human(fmt.Sprint(1000+i), 1, start, "bob", "", ""))
	}
	if s.Stats().Evicted < 1000 {
		t.Error(s.Stats())
	}
}

// Ids are told apart by their text, whatever their form as a number.
func TestNumber_AgainstStrconv(t *testing.T) {
	digits := []byte("0123456789")
	random := rand.New(rand.NewPCG(3, 4))
	for range 200_000 {
		b := make([]byte, 1+random.IntN(21))
		for i := range b {
			b[i] = digits[random.IntN(10)]
		}
		if random.IntN(3) == 0 {
			b[random.IntN(len(b))] = byte(random.IntN(256))
		}
		want, err := strconv.ParseUint(string(b), 10, 64)
		valid := err == nil && len(b) <= maxDigits && b[0] != '0' && b[0] != '+'
		if n, ok := number(string(b)); ok != valid || ok && n != want {
			t.Fatalf("%q is %d, %v", b, n, ok)
		}
	}
}

// Ids that nobody knows do not take the place of what is known and was asked for last.
func TestUnknownIdsLeaveWhatIsKnownHot(t *testing.T) {
	s := fresh(t, Options{})
	s.Learn(personEvent(1))
	id, _, _, _ := person(1)
	if _, ok := s.User(id); !ok {
		t.Fatal("not known")
	}
	for i := range 50 * hotSets {
		if _, ok := s.User(strconv.Itoa(900_000_000_000_000_000 + i)); ok {
			t.Fatal("known")
		}
	}
	if s.hot.get(s.hot.hash(kindUser, id), kindUser, id) == nil {
		t.Error("the known user is no longer hot")
	}
}
