// Package etcd keeps the states of a cluster in etcd 3.4 or newer, under one prefix:
//
//	PREFIX/store               the layout, and a random name
//	PREFIX/alive               UNIXMICRO at which a member last used the store
//	PREFIX/refused             why the store is not to be used; most often missing
//	PREFIX/members/LEASE       the note of a member; attached to its lease
//	PREFIX/sources/INSTANCE    the fencing number
//	PREFIX/holders/INSTANCE    "LEASE FENCE"; attached to the lease of the holder
//	PREFIX/states/INSTANCE     "FENCE NUMBER UNIXMICRO" and, behind a line feed, the state;
//	                           "0 0 …" without a state before the first commit
//
// The user needs the permission readwrite on PREFIX/ and its range, and nothing else:
//
//	etcdctl role grant-permission zitadel-siem --prefix=true readwrite /zitadel-siem/
//
// etcd's own clocks end the leases. It shows none to its clients: the ages of a state and of
// "alive", which [cluster.Options.MaxAge] limits, are differences of two members' clocks.
//
// Each operation on a source is one transaction. A commit writes the state whole: etcd keeps
// the old ones until it is compacted, so switch auto-compaction on
// (--auto-compaction-mode=periodic --auto-compaction-retention=5m).
package etcd

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

// layout is the version of the keys.
const layout = 1

// maxState leaves room for the rest of a request: etcd refuses one of more than 1.5 MiB
// (--max-request-bytes).
const maxState = 3 << 19 * 9 / 10

// registerAtOnce sources are one transaction: etcd allows 128 operations (--max-txn-ops).
const registerAtOnce = 60

// openWithin bounds Open: a server that accepts and says nothing would hold it up for ever.
const openWithin = 10 * time.Second

// Store is a [cluster.Store] in etcd.
type Store struct {
	client *clientv3.Client
	prefix string // ends with "/"
	hosts  []string
	absent unconnected

	mu     sync.Mutex
	cached view
}

var _ cluster.Store = (*Store)(nil)

// Open connects to a URL of [Parse].
func Open(ctx context.Context, url string) (*Store, error) {
	config, prefix, err := Parse(url)
	if err != nil {
		return nil, err
	}
	s := &Store{prefix: prefix, hosts: hosts(config)}
	config.DialOptions = append(config.DialOptions, grpc.WithChainUnaryInterceptor(s.absent.unary), grpc.WithChainStreamInterceptor(s.absent.stream))
	client, err := clientv3.New(config) // with a user, it logs in
	if err != nil {
		return nil, s.explain(err)
	}
	s.client = client
	ctx, cancel := context.WithTimeout(ctx, openWithin)
	defer cancel()
	if err := s.create(ctx); err != nil {
		return nil, errors.Join(s.explain(err), client.Close())
	}
	return s, nil
}

type head struct {
	Layout int    `json:"layout"`
	Name   string `json:"name"`
}

func (s *Store) create(ctx context.Context) error {
	key := s.prefix + "store"
	text, err := json.Marshal(head{layout, rand.Text()})
	if err != nil {
		return err
	}
	answer, err := s.client.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).
		Then(clientv3.OpPut(key, string(text))).Else(clientv3.OpGet(key)).Commit()
	if err != nil {
		return err
	}
	if !answer.Succeeded {
		text = answer.Responses[0].GetResponseRange().Kvs[0].Value
	}
	var found head
	if err := json.Unmarshal(text, &found); err != nil {
		return fmt.Errorf("the key %s is not of this program; choose another prefix in the URL: %w", key, err)
	}
	if found.Layout != layout {
		return fmt.Errorf("the keys under %s have layout %d, this program knows %d: use the newer program, or another prefix in the URL", s.prefix, found.Layout, layout)
	}
	return nil
}

// Close closes the connections.
func (s *Store) Close() { _ = s.client.Close() }

func (s *Store) member(lease clientv3.LeaseID) string {
	return s.prefix + "members/" + format(lease)
}

func format(lease clientv3.LeaseID) string { return strconv.FormatInt(int64(lease), 16) }

func parse(lease string) (clientv3.LeaseID, error) {
	id, err := strconv.ParseInt(lease, 16, 64)
	if err != nil {
		return 0, cluster.ErrExpired
	}
	return clientv3.LeaseID(id), nil
}

// Grant rounds ttl up to seconds.
func (s *Store) Grant(ctx context.Context, ttl time.Duration, note cluster.Note) (string, error) {
	answer, err := s.client.Grant(ctx, int64((ttl+time.Second-1)/time.Second))
	if err != nil {
		return "", s.explain(err)
	}
	text, err := json.Marshal(note)
	if err != nil {
		return "", err
	}
	if _, err = s.client.Put(ctx, s.member(answer.ID), string(text), clientv3.WithLease(answer.ID)); err != nil {
		return "", s.explain(err)
	}
	return format(answer.ID), nil
}

// Renew: see [cluster.Store].
func (s *Store) Renew(ctx context.Context, lease string, note cluster.Note) error {
	id, err := parse(lease)
	if err != nil {
		return err
	}
	text, err := json.Marshal(note)
	if err != nil {
		return err
	}
	if _, err := s.client.KeepAliveOnce(ctx, id); err != nil {
		return s.explain(err)
	}
	// Written only if it differs: each write wakes who watches, and grows the store.
	key := s.member(id)
	_, err = s.client.Txn(ctx).If(clientv3.Compare(clientv3.Value(key), "=", string(text))).
		Else(clientv3.OpPut(key, string(text), clientv3.WithLease(id))).Commit()
	return s.explain(err)
}

// Revoke: see [cluster.Store].
func (s *Store) Revoke(ctx context.Context, lease string) error {
	id, err := parse(lease)
	if err != nil {
		return nil
	}
	_, err = s.client.Revoke(ctx, id)
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return nil
	}
	return s.explain(err)
}

// Register: see [cluster.Store].
func (s *Store) Register(ctx context.Context, instances []string) error {
	known, err := s.client.Get(ctx, s.prefix+"sources/", clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return s.explain(err)
	}
	have := make(map[string]bool, len(known.Kvs))
	for _, kv := range known.Kvs {
		have[string(kv.Key)] = true
	}
	var ops []clientv3.Op
	flush := func() error {
		if len(ops) == 0 {
			return nil
		}
		_, err := s.client.Txn(ctx).Then(ops...).Commit()
		ops = nil
		return s.explain(err)
	}
	for _, instance := range instances {
		key := s.prefix + "sources/" + instance
		if have[key] {
			continue
		}
		have[key] = true
		ops = append(ops, clientv3.OpTxn([]clientv3.Cmp{clientv3.Compare(clientv3.CreateRevision(key), "=", 0)},
			[]clientv3.Op{clientv3.OpPut(key, "0")}, nil))
		if len(ops) == registerAtOnce {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// Take: see [cluster.Store].
func (s *Store) Take(ctx context.Context, lease, instance string) (cluster.Taken, error) {
	id, err := parse(lease)
	if err != nil {
		return cluster.Taken{}, err
	}
	source, holder, state := s.prefix+"sources/"+instance, s.prefix+"holders/"+instance, s.prefix+"states/"+instance
	now, err := s.client.Txn(ctx).Then(clientv3.OpGet(source), clientv3.OpGet(holder)).Commit()
	if err != nil {
		return cluster.Taken{}, s.explain(err)
	}
	var taken cluster.Taken
	sources, holders := now.Responses[0].GetResponseRange().Kvs, now.Responses[1].GetResponseRange().Kvs
	var version, held int64
	if len(sources) > 0 {
		version = sources[0].ModRevision
		if taken.Fence, err = strconv.ParseUint(string(sources[0].Value), 10, 64); err != nil {
			return cluster.Taken{}, fmt.Errorf("the key %s is not a fencing number: restore it from a backup", source)
		}
	}
	if len(holders) > 0 {
		held = holders[0].ModRevision
		if by, _, _ := strings.Cut(string(holders[0].Value), " "); by != lease {
			return cluster.Taken{}, cluster.ErrTaken
		}
	}
	taken.Fence++
	fence := strconv.FormatUint(taken.Fence, 10)
	answer, err := s.client.Txn(ctx).
		If(clientv3.Compare(clientv3.ModRevision(source), "=", version), clientv3.Compare(clientv3.ModRevision(holder), "=", held)).
		Then(clientv3.OpPut(source, fence), clientv3.OpPut(holder, lease+" "+fence, clientv3.WithLease(id)),
			clientv3.OpTxn([]clientv3.Cmp{clientv3.Compare(clientv3.CreateRevision(state), "=", 0)},
				[]clientv3.Op{clientv3.OpPut(state, record{at: time.Now()}.String())}, []clientv3.Op{clientv3.OpGet(state)})).Commit()
	if err != nil {
		return cluster.Taken{}, s.explain(err)
	}
	if !answer.Succeeded {
		return cluster.Taken{}, cluster.ErrTaken
	}
	if found := answer.Responses[2].GetResponseTxn(); !found.Succeeded {
		value := found.Responses[0].GetResponseRange().Kvs[0].Value
		r, err := readRecord(value)
		if err != nil {
			// What is there is given out as a state, so that it is refused as a damaged one.
			r = record{at: time.Now(), state: value}
		}
		if err == nil && r.number == 0 && len(r.state) == 0 {
			return taken, nil // nothing was committed since the key was made
		}
		// etcd shows no clock. This age is one of two machines' clocks, and serves for nothing
		// but to tell how much a store lost that went back.
		taken.Number, taken.State, taken.Age = r.number, r.state, time.Since(r.at)
	}
	return taken, nil
}

// Commit: see [cluster.Store].
func (s *Store) Commit(ctx context.Context, lease, instance string, fence, number uint64, state []byte) error {
	if len(state) > maxState {
		return fmt.Errorf("the compressed state has %d KiB, and etcd takes %d KiB (--max-request-bytes is 1.5 MiB): choose a shorter overlap, or keep the state in PostgreSQL", len(state)>>10, maxState>>10)
	}
	holder, key := s.prefix+"holders/"+instance, s.prefix+"states/"+instance
	held := clientv3.Compare(clientv3.Value(holder), "=", lease+" "+strconv.FormatUint(fence, 10))
	r := record{fence: fence, number: number, at: time.Now(), state: state}
	// Fence and number are of fixed width, so that etcd's comparison of bytes is one of numbers.
	// Take has made the key.
	older := clientv3.Compare(clientv3.Value(key), "<", r.head())
	answer, err := s.client.Txn(ctx).If(held, older).Then(clientv3.OpPut(key, r.String())).
		Else(clientv3.OpGet(holder), clientv3.OpGet(key)).Commit()
	if err != nil {
		return s.explain(err)
	}
	if answer.Succeeded {
		return nil
	}
	by := answer.Responses[0].GetResponseRange().Kvs
	if len(by) == 0 || string(by[0].Value) != lease+" "+strconv.FormatUint(fence, 10) {
		return cursor.ErrLost
	}
	for _, kv := range answer.Responses[1].GetResponseRange().Kvs {
		if found, err := readRecord(kv.Value); err == nil && found.fence == fence && found.number >= number {
			return nil // a later one of the same hold is there
		}
	}
	return fmt.Errorf("etcd: the key %s was written by another program: restore it from a backup, or delete it to read again from `start`", key)
}

// Release: see [cluster.Store].
func (s *Store) Release(ctx context.Context, lease, instance string, fence uint64) error {
	holder := s.prefix + "holders/" + instance
	mine := clientv3.Compare(clientv3.Value(holder), "=", lease+" "+strconv.FormatUint(fence, 10))
	var held []clientv3.Cmp
	if fence != 0 {
		held = append(held, mine)
	} else { // any: "LEASE " up to "LEASE!"
		held = append(held, clientv3.Compare(clientv3.Value(holder), ">", lease+" "), clientv3.Compare(clientv3.Value(holder), "<", lease+"!"))
	}
	_, err := s.client.Txn(ctx).If(held...).Then(clientv3.OpDelete(holder)).Commit()
	return s.explain(err)
}

// explain turns etcd's errors into those of [cluster.Store], or names the fix.
func (s *Store) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, rpctypes.ErrLeaseNotFound):
		return cluster.ErrExpired
	case errors.Is(err, rpctypes.ErrNoSpace):
		return fmt.Errorf("etcd is full: compact and defragment it, and switch auto-compaction on: %w", err)
	case errors.Is(err, rpctypes.ErrPermissionDenied):
		return fmt.Errorf("etcd: grant the user readwrite on the prefix %s: %w", s.prefix, err)
	case unanswered(err):
		return &Unreachable{Endpoints: s.hosts, Reason: s.absent.why(), Err: err}
	}
	return fmt.Errorf("etcd: %w", err)
}

// record is the value of a state.
type record struct {
	fence, number uint64
	at            time.Time
	state         []byte
}

func (r record) head() string { return fmt.Sprintf("%020d %020d ", r.fence, r.number) }

func (r record) String() string {
	return r.head() + strconv.FormatInt(r.at.UnixMicro(), 10) + "\n" + string(r.state)
}

func readRecord(b []byte) (record, error) {
	line, state, ok := bytes.Cut(b, []byte("\n"))
	fields := strings.Fields(string(line))
	if !ok || len(fields) != 3 {
		return record{}, errors.New("it has no head")
	}
	var r record
	var errs [3]error
	r.fence, errs[0] = strconv.ParseUint(fields[0], 10, 64)
	r.number, errs[1] = strconv.ParseUint(fields[1], 10, 64)
	var micro int64
	micro, errs[2] = strconv.ParseInt(fields[2], 10, 64)
	r.at, r.state = time.UnixMicro(micro), state
	return r, errors.Join(errs[:]...)
}
