// Package clustertest serves the tests of internal/cluster and of its stores: a store in
// memory, and what every store has to do.
package clustertest

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

// Memory is a store in memory. Its clock is Now, whatever those of the members show.
type Memory struct {
	Now func() time.Time

	mu      sync.Mutex
	name    string
	beat    uint64
	alive   time.Time
	refused string
	leases  map[string]lease
	sources map[string]source
	next    int
}

type lease struct {
	note cluster.Note
	ttl  time.Duration
	ends time.Time
}

type source struct {
	holder        string
	fence, number uint64
	state         []byte
	committed     time.Time
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{Now: time.Now, name: "memory", leases: map[string]lease{}, sources: map[string]source{}}
}

// Copy is a backup, for [Memory.Restore].
func (s *Memory) Copy() *Memory {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Memory{name: s.name, beat: s.beat, alive: s.alive, refused: s.refused, next: s.next, leases: maps.Clone(s.leases), sources: maps.Clone(s.sources)}
}

// Restore goes back to a copy.
func (s *Memory) Restore(old *Memory) {
	old = old.Copy()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.name, s.beat, s.alive, s.refused = old.name, old.beat, old.alive, old.refused
	s.leases, s.sources = old.leases, old.sources
}

// SetNow sets the clock of the store.
func (s *Memory) SetNow(now func() time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Now = now
}

func (s *Memory) lock() func() {
	s.mu.Lock()
	for id, l := range s.leases {
		if s.Now().After(l.ends) {
			s.end(id)
		}
	}
	return s.mu.Unlock
}

func (s *Memory) end(id string) {
	delete(s.leases, id)
	for instance, src := range s.sources {
		if src.holder == id {
			src.holder = ""
			s.sources[instance] = src
		}
	}
}

func (s *Memory) Grant(ctx context.Context, ttl time.Duration, note cluster.Note) (string, error) {
	defer s.lock()()
	s.next++
	id := fmt.Sprintf("lease-%d", s.next)
	s.leases[id] = lease{note, ttl, s.Now().Add(ttl)}
	return id, nil
}

func (s *Memory) Renew(ctx context.Context, id string, note cluster.Note) error {
	defer s.lock()()
	l, ok := s.leases[id]
	if !ok {
		return cluster.ErrExpired
	}
	s.leases[id] = lease{note, l.ttl, s.Now().Add(l.ttl)}
	return nil
}

func (s *Memory) Revoke(ctx context.Context, id string) error {
	defer s.lock()()
	s.end(id)
	return nil
}

func (s *Memory) Register(ctx context.Context, instances []string) error {
	defer s.lock()()
	for _, instance := range instances {
		s.sources[instance] = s.sources[instance]
	}
	return nil
}

func (s *Memory) Look(ctx context.Context) (cluster.View, error) {
	defer s.lock()()
	s.beat++
	v := cluster.View{Store: s.name, Beat: s.beat, Noted: s.noted(), Refused: s.refused}
	if v.Noted != 0 {
		v.Idle = s.Now().Sub(s.alive)
	}
	held := map[string]int{}
	for instance, src := range s.sources {
		held[src.holder]++
		if src.holder == "" {
			v.Free = append(v.Free, instance)
		}
	}
	for id, l := range s.leases {
		v.Members = append(v.Members, cluster.MemberView{Lease: id, Note: l.note, Held: held[id]})
	}
	return v, nil
}

func (s *Memory) Holders(ctx context.Context) (map[string]string, error) {
	defer s.lock()()
	out := map[string]string{}
	for instance, src := range s.sources {
		if src.holder != "" {
			out[instance] = src.holder
		}
	}
	return out, nil
}

func (s *Memory) Take(ctx context.Context, id, instance string) (cluster.Taken, error) {
	defer s.lock()()
	src, ok := s.sources[instance]
	if _, ok := s.leases[id]; !ok {
		return cluster.Taken{}, cluster.ErrExpired
	}
	if !ok || src.holder != "" && src.holder != id {
		return cluster.Taken{}, cluster.ErrTaken
	}
	src.holder = id
	src.fence++
	s.sources[instance] = src
	return cluster.Taken{Fence: src.fence, Number: src.number, State: src.state, Age: s.Now().Sub(src.committed)}, nil
}

func (s *Memory) Commit(ctx context.Context, id, instance string, fence, number uint64, state []byte) error {
	defer s.lock()()
	src := s.sources[instance]
	if src.holder != id || src.fence != fence {
		return cursor.ErrLost
	}
	if src.number < number {
		src.number, src.state, src.committed = number, state, s.Now()
		s.sources[instance] = src
	}
	return nil
}

func (s *Memory) Release(ctx context.Context, id, instance string, fence uint64) error {
	defer s.lock()()
	src := s.sources[instance]
	if src.holder == id && (fence == 0 || src.fence == fence) {
		src.holder = ""
		s.sources[instance] = src
	}
	return nil
}

func (s *Memory) Alive(ctx context.Context, v cluster.View) error {
	defer s.lock()()
	if s.noted() == v.Noted {
		s.alive = s.Now()
	}
	return nil
}

func (s *Memory) Accept(ctx context.Context) error {
	defer s.lock()()
	s.alive, s.refused = s.Now(), ""
	return nil
}

func (s *Memory) noted() int64 {
	if s.alive.IsZero() {
		return 0
	}
	return s.alive.UnixMicro()
}

func (s *Memory) Refuse(ctx context.Context, why string) error {
	defer s.lock()()
	s.refused = why
	return nil
}

// Put replaces a state as an operator's hand would.
func (s *Memory) Put(ctx context.Context, instance string, state []byte) error {
	defer s.lock()()
	src := s.sources[instance]
	src.state, src.committed = state, s.Now()
	src.number++
	s.sources[instance] = src
	return nil
}

// Delete removes a source as an operator's hand would.
func (s *Memory) Delete(instance string) {
	defer s.lock()()
	delete(s.sources, instance)
}

func (s *Memory) Close() {}
