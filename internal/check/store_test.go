package check

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// checked is the report about a store and these sources.
func checked(t *testing.T, store cluster.Store, instances ...string) (string, map[verdict]int) {
	t.Helper()
	var out strings.Builder
	r := &report{w: &out}
	var sources []config.PullSettings
	for _, instance := range instances {
		sources = append(sources, config.PullSettings{Settings: config.Settings{Instance: instance}})
	}
	state := checkOpenStore(t.Context(), r, store, "postgres://db/siem", sources)
	for _, s := range sources {
		state(r, s.Settings)
	}
	return out.String(), r.counts
}

func want(t *testing.T, out string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(out, part) {
			t.Errorf("%q is missing:\n%s", part, out)
		}
	}
}

func imported(t *testing.T, store cluster.Store, instance string) {
	t.Helper()
	err := cluster.Import(t.Context(), store, cursor.State{Instance: instance, Events: 1234, Updated: time.Now().Add(-time.Hour), Watermark: time.Now(),
		Holes: []cursor.Hole{{AggregateType: "user", AggregateID: "1", First: 1, Last: 1}}})
	if err != nil {
		t.Fatal(err)
	}
}

func TestStoreThatNobodyUsesShowsTheStateOfEachSource(t *testing.T) {
	store := clustertest.NewMemory()
	imported(t, store, "eu")
	if err := store.Put(t.Context(), "damaged", []byte("{")); err != nil {
		t.Fatal(err)
	}
	out, counts := checked(t, store, "eu", "new", "damaged")
	want(t, out, "connected and logged in within", "a lease was granted, renewed and ended", "members: none",
		`source "eu": 1,234 events so far`, "written 1h00m ago", "1 gaps in sequences", `source "new": no state in the store yet`, `FAIL  state      source "damaged": `, "cannot be used")
	if counts[fails] != 1 {
		t.Errorf("%v\n%s", counts, out)
	}
}

// What a check does to the others is nothing: no source is registered, taken or kept.
func TestCheckOfAStoreDisturbsNoMember(t *testing.T) {
	store := &watching{Memory: clustertest.NewMemory()}
	imported(t, store, "eu")
	imported(t, store, "us")
	lease, err := store.Grant(t.Context(), time.Minute, cluster.Note{Name: "host-a", Waiting: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Take(t.Context(), lease, "eu"); err != nil {
		t.Fatal(err)
	}
	store.calls = nil
	out, counts := checked(t, store, "eu", "us", "new")
	want(t, out, "members: host-a holds 1 and waits for 1", `source "eu": read by host-a`, `warn  state      source "us": held by no member`, `source "new": no state`)
	if counts[fails] != 0 || counts[warns] != 1 {
		t.Errorf("%v", counts)
	}
	if len(store.calls) > 0 {
		t.Errorf("it did %q", store.calls)
	}
	v, err := store.Look(t.Context())
	if err != nil || len(v.Members) != 1 || len(v.Free) != 1 {
		t.Errorf("it left %+v, %v", v, err)
	}
}

// The next member has to see how old the store is.
func TestCheckOfAStoreLeavesItsAgeAsItIs(t *testing.T) {
	store := &watching{Memory: clustertest.NewMemory()}
	imported(t, store, "eu")
	checked(t, store, "eu")
	for _, call := range store.calls {
		if call == "alive" || call == "refuse" {
			t.Errorf("it did %q", store.calls)
		}
	}
}

func TestCheckSaysWhyMembersTakeNoSource(t *testing.T) {
	store := clustertest.NewMemory()
	if err := store.Refuse(t.Context(), "it is old"); err != nil {
		t.Fatal(err)
	}
	out, counts := checked(t, store, "eu")
	want(t, out, "members take no source: the store went back: it is old", "--accept-old-state")
	if counts[fails] != 1 {
		t.Errorf("%v\n%s", counts, out)
	}
}

// unused is a store that no member has used for a week.
type unused struct{ *clustertest.Memory }

func (u unused) Look(ctx context.Context) (cluster.View, error) {
	v, err := u.Memory.Look(ctx)
	v.Idle = 7 * 24 * time.Hour
	return v, err
}

func TestCheckSaysOnceThatTheStoreLooksLikeAnOldBackup(t *testing.T) {
	store := unused{clustertest.NewMemory()}
	imported(t, store, "eu")
	imported(t, store, "us")
	out, counts := checked(t, store, "eu", "us")
	want(t, out, "no member has used the store for 7 days", "--accept-old-state")
	if counts[fails] != 1 {
		t.Errorf("%v\n%s", counts, out)
	}
}

// watching notes what would move a source.
type watching struct {
	*clustertest.Memory
	calls []string
}

func (w *watching) Register(ctx context.Context, instances []string) error {
	if len(instances) > 0 {
		w.calls = append(w.calls, fmt.Sprint("register ", instances))
	}
	return w.Memory.Register(ctx, instances)
}

func (w *watching) Alive(ctx context.Context, v cluster.View) error {
	w.calls = append(w.calls, "alive")
	return w.Memory.Alive(ctx, v)
}

func (w *watching) Accept(ctx context.Context) error {
	w.calls = append(w.calls, "accept")
	return w.Memory.Accept(ctx)
}

func (w *watching) Refuse(ctx context.Context, why string) error {
	w.calls = append(w.calls, "refuse")
	return w.Memory.Refuse(ctx, why)
}

func (w *watching) Take(ctx context.Context, lease, instance string) (cluster.Taken, error) {
	w.calls = append(w.calls, "take "+instance)
	return w.Memory.Take(ctx, lease, instance)
}

func TestStoreWithoutAPermissionFailsAndLeavesNoLease(t *testing.T) {
	denied := errors.New("permission denied")
	for name, store := range map[string]*denying{
		"look": {look: denied}, "grant": {grant: denied}, "renew": {renew: denied}, "release": {release: denied},
	} {
		store.Memory = clustertest.NewMemory()
		out, counts := checked(t, store, "eu")
		want(t, out, "permission denied", "members and states of sources: not looked at")
		if counts[fails] != 1 || counts[skips] != 1 {
			t.Errorf("%s: %v\n%s", name, counts, out)
		}
		if v, err := store.Memory.Look(t.Context()); err != nil || len(v.Members) > 0 {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
}

// denying refuses some requests.
type denying struct {
	*clustertest.Memory
	look, grant, renew, release error
}

func (d *denying) Look(ctx context.Context) (cluster.View, error) {
	if d.look != nil {
		return cluster.View{}, d.look
	}
	return d.Memory.Look(ctx)
}

func (d *denying) Grant(ctx context.Context, ttl time.Duration, note cluster.Note) (string, error) {
	if d.grant != nil {
		return "", d.grant
	}
	return d.Memory.Grant(ctx, ttl, note)
}

func (d *denying) Renew(ctx context.Context, lease string, note cluster.Note) error {
	if d.renew != nil {
		return d.renew
	}
	return d.Memory.Renew(ctx, lease, note)
}

func (d *denying) Release(ctx context.Context, lease, instance string, fence uint64) error {
	if d.release != nil {
		return d.release
	}
	return d.Memory.Release(ctx, lease, instance, fence)
}

func TestStoreWhoseCertificateIsNotVerifiedIsAWarning(t *testing.T) {
	for url, warned := range map[string]bool{
		"postgres://u:s3cr3t@db.example/siem?sslmode=require": true,
		"etcd://u:s3cr3t@e1.example?tls=off":                  true,
		"postgres://u:s3cr3t@db.example/siem":                 false,
		"postgres://u:s3cr3t@127.0.0.1/siem":                  false,
	} {
		var out strings.Builder
		r := &report{w: &out}
		checkStore(t.Context(), r, config.SharedState{URL: config.Secret(url)}, nil, true)
		if r.counts[warns] == 1 != warned || warned && !strings.Contains(out.String(), "is not verified") || strings.Contains(out.String(), "s3cr3t") {
			t.Errorf("%s:\n%s", url, out.String())
		}
	}
}
