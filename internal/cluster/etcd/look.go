package etcd

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
)

// parts are the ranges that a look reads.
var parts = [...]string{"members/", "sources/", "holders/"}

// view is what the last look read, and by what a change shows: the number of keys in
// each range, and the highest revision. Keys that go change the number; those that
// come or change, the revision.
type view struct {
	store   string
	marks   [len(parts)][2]int64
	members map[string]cluster.Note
	sources map[string]bool
	holders map[string]string // instance -> lease
	ok      bool
}

// moment is what each look reads.
type moment struct {
	revision int64
	noted    int64
	refused  string
}

// Look reads the keys only if something changed since the last look.
func (s *Store) Look(ctx context.Context) (cluster.View, error) {
	read, now, err := s.view(ctx)
	if err != nil {
		return cluster.View{}, err
	}
	v := cluster.View{Store: read.store, Beat: uint64(now.revision), Noted: now.noted, Refused: now.refused}
	if v.Noted != 0 {
		v.Idle = time.Since(time.UnixMicro(v.Noted))
	}
	held := map[string]int{}
	for instance := range read.sources {
		if lease, ok := read.holders[instance]; ok {
			held[lease]++
		} else {
			v.Free = append(v.Free, instance)
		}
	}
	for lease, note := range read.members {
		v.Members = append(v.Members, cluster.MemberView{Lease: lease, Note: note, Held: held[lease]})
	}
	return v, nil
}

// Alive: see [cluster.Store].
func (s *Store) Alive(ctx context.Context, v cluster.View) error {
	unchanged := clientv3.Compare(clientv3.CreateRevision(s.prefix+"alive"), "=", 0)
	if v.Noted != 0 {
		unchanged = clientv3.Compare(clientv3.Value(s.prefix+"alive"), "=", strconv.FormatInt(v.Noted, 10))
	}
	_, err := s.client.Txn(ctx).If(unchanged).Then(s.alive()).Commit()
	return s.explain(err)
}

// Accept: see [cluster.Store].
func (s *Store) Accept(ctx context.Context) error {
	_, err := s.client.Txn(ctx).Then(s.alive(), clientv3.OpDelete(s.prefix+"refused")).Commit()
	return s.explain(err)
}

func (s *Store) alive() clientv3.Op {
	return clientv3.OpPut(s.prefix+"alive", strconv.FormatInt(time.Now().UnixMicro(), 10))
}

// Refuse: see [cluster.Store].
func (s *Store) Refuse(ctx context.Context, why string) error {
	_, err := s.client.Put(ctx, s.prefix+"refused", why)
	return s.explain(err)
}

// Holders: see [cluster.Store].
func (s *Store) Holders(ctx context.Context) (map[string]string, error) {
	read, _, err := s.view(ctx)
	return read.holders, err
}

func (s *Store) view(ctx context.Context) (view, moment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ops []clientv3.Op
	for _, part := range parts {
		ops = append(ops,
			clientv3.OpGet(s.prefix+part, clientv3.WithPrefix(), clientv3.WithCountOnly()),
			clientv3.OpGet(s.prefix+part, append(clientv3.WithLastRev(), clientv3.WithKeysOnly())...))
	}
	for _, key := range [...]string{"store", "alive", "refused"} {
		ops = append(ops, clientv3.OpGet(s.prefix+key))
	}
	answer, err := s.client.Txn(ctx).Then(ops...).Commit()
	if err != nil {
		return view{}, moment{}, s.explain(err)
	}
	single := func(i int) []byte {
		for _, kv := range answer.Responses[2*len(parts)+i].GetResponseRange().Kvs {
			return kv.Value
		}
		return nil
	}
	now := moment{revision: answer.Header.Revision, refused: string(single(2))}
	if text := single(1); text != nil {
		if now.noted, err = strconv.ParseInt(string(text), 10, 64); err != nil {
			return view{}, moment{}, fmt.Errorf("etcd: the key %salive holds no time: delete it", s.prefix)
		}
	}
	var marks [len(parts)][2]int64
	for i := range parts {
		marks[i][0] = answer.Responses[2*i].GetResponseRange().Count
		if kvs := answer.Responses[2*i+1].GetResponseRange().Kvs; len(kvs) > 0 {
			marks[i][1] = kvs[0].ModRevision
		}
	}
	var found head
	_ = json.Unmarshal(single(0), &found) // another name is reported by the member
	if s.cached.ok && s.cached.marks == marks && s.cached.store == found.Name {
		return s.cached, now, nil
	}
	read, err := s.read(ctx, now.revision)
	read.marks, read.store = marks, found.Name
	s.cached = read
	return read, now, err
}

func (s *Store) read(ctx context.Context, revision int64) (view, error) {
	v := view{members: map[string]cluster.Note{}, sources: map[string]bool{}, holders: map[string]string{}}
	var ops []clientv3.Op
	for _, part := range parts {
		ops = append(ops, clientv3.OpGet(s.prefix+part, clientv3.WithPrefix(), clientv3.WithRev(revision)))
	}
	answer, err := s.client.Txn(ctx).Then(ops...).Commit()
	if err != nil {
		return v, s.explain(err)
	}
	for _, kv := range answer.Responses[0].GetResponseRange().Kvs {
		var note cluster.Note
		if err := json.Unmarshal(kv.Value, &note); err != nil {
			return v, fmt.Errorf("etcd: the key %s is not the note of a member; delete it: %w", kv.Key, err)
		}
		v.members[strings.TrimPrefix(string(kv.Key), s.prefix+parts[0])] = note
	}
	for _, kv := range answer.Responses[1].GetResponseRange().Kvs {
		v.sources[strings.TrimPrefix(string(kv.Key), s.prefix+parts[1])] = true
	}
	for _, kv := range answer.Responses[2].GetResponseRange().Kvs {
		lease, _, _ := strings.Cut(string(kv.Value), " ")
		v.holders[strings.TrimPrefix(string(kv.Key), s.prefix+parts[2])] = lease
	}
	v.ok = true
	return v, nil
}
