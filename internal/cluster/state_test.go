package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

// bubble runs a test with a member of its own; stop it before the end.
func bubble(t *testing.T, o cluster.Options, test func(t *testing.T, m *cluster.Member, store *clustertest.Memory, again func() *cluster.Member)) {
	synctest.Test(t, func(t *testing.T) {
		store := clustertest.NewMemory()
		o.Store = store
		var stops []func()
		start := func() *cluster.Member {
			m, err := cluster.New(o)
			if err != nil {
				t.Fatal(err)
			}
			stops = append(stops, running(t, m))
			return m
		}
		test(t, start(), store, start)
		for _, stop := range stops {
			stop()
		}
	})
}

// running runs a member that reads source one.
func running(t *testing.T, m *cluster.Member) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- m.Run(ctx) }()
	m.Sources([]string{"one"})
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func hold(t *testing.T, m *cluster.Member) (cursor.Held, cursor.State) {
	t.Helper()
	h, s, err := m.Hold(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	return h, s
}

func commit(h cursor.Held, s cursor.State) error {
	p, err := h.Prepare(s)
	if err != nil {
		return err
	}
	return p.Commit()
}

func TestStateComesBackWhateverItsSize(t *testing.T) {
	bubble(t, cluster.Options{}, func(t *testing.T, m *cluster.Member, store *clustertest.Memory, _ func() *cluster.Member) {
		for _, n := range []int{0, 1, 10_000} {
			h, _ := hold(t, m)
			s := cursor.State{Version: 1, Instance: "one", Updated: time.Now().UTC(), Events: uint64(n)}
			for i := range n {
				if s.Seen == nil {
					s.Seen = map[string]string{}
				}
				s.Seen[fmt.Sprintf("user/%d", rand.Uint64())] = fmt.Sprint(i + 1)
			}
			if err := commit(h, s); err != nil {
				t.Fatal(err)
			}
			if err := h.Close(); err != nil {
				t.Fatal(err)
			}
			h, got := hold(t, m)
			got.Checksum = ""
			if d := cmp.Diff(s, got); d != "" {
				t.Error(d)
			}
			h.Close()
		}
	})
}

func TestCommitsInAnyOrderNeverGoBack(t *testing.T) {
	bubble(t, cluster.Options{}, func(t *testing.T, m *cluster.Member, store *clustertest.Memory, _ func() *cluster.Member) {
		h, _ := hold(t, m)
		var all []cursor.Pending
		for i := range uint64(3) {
			p, err := h.Prepare(cursor.State{Instance: "one", Events: i})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, p)
		}
		for _, i := range []int{1, 0, 2, 1} {
			if err := all[i].Commit(); err != nil {
				t.Fatal(err)
			}
		}
		h.Close()
		if _, s := hold(t, m); s.Events != 2 {
			t.Errorf("state %d counts, want 2", s.Events)
		}
	})
}

// Law 5: nothing is started over automatically.
func TestLaw5StateThatCannotBeUsedIsAnErrorThatSaysWhatToDo(t *testing.T) {
	other, _ := cursor.Encode(cursor.State{Instance: "other", Events: 1})
	for name, c := range map[string]struct{ state, want string }{
		"damaged":    {`{"version":1,"instance":"one","updated":"2026-11-22T09:36:15Z","watermark":"2026-11-22T09:36:15Z","events":3,"checksum":"00000000"}`, "checksum"},
		"half":       {`{"version":1,`, "not a complete JSON document"},
		"empty":      {"", "it is empty"},
		"gzip":       {"\x1f\x8bxxxxxxxxxxxx", "damaged"},
		"newer":      {`{"version":99}`, "use the newer program"},
		"of another": {string(other), `belongs to instance "other"`},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, cluster.Options{}, func(t *testing.T, m *cluster.Member, store *clustertest.Memory, _ func() *cluster.Member) {
				if err := store.Put(t.Context(), "one", []byte(c.state)); err != nil {
					t.Fatal(err)
				}
				_, _, err := m.Hold(t.Context(), "one")
				if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "restore it from a backup") {
					t.Errorf("error %v, want one with %q and the fix", err, c.want)
				}
			})
		})
	}
}

// A member that cannot renew stops in time, and goes on when the store is back.
func TestLapseEndsReadingAndIsMended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := clustertest.NewGroup(cluster.DefaultTTL, time.Second)
		r := g.Start(t, clustertest.NewMemory(), cluster.Options{}, nil)
		defer r.Stop()
		r.Sources([]string{"one"})
		h, s := hold(t, r.Member)
		s.Instance, s.Events = "one", 1
		time.Sleep(time.Minute)
		r.Gate.Set(clustertest.Cut, 0)
		start := time.Now()
		<-h.Done()
		if took := time.Since(start); took > cluster.DefaultTTL || took < cluster.DefaultTTL/2 {
			t.Errorf("Done closed %s after the partition", took)
		}
		if err := commit(h, s); !errors.Is(err, cursor.ErrLost) {
			t.Errorf("a commit without a certain lease: %v", err)
		}
		if st := r.Status(); st.Certain || st.Err == nil {
			t.Errorf("status %+v", st)
		}
		r.Gate.Set(clustertest.Open, 0) // the store has not ended the lease yet
		time.Sleep(2 * time.Second)
		if err := commit(h, s); err != nil {
			t.Errorf("the lease stands again: %v", err)
		}
		h.Close()
		h, s = hold(t, r.Member)
		if s.Events != 1 {
			t.Errorf("state %+v", s)
		}
		h.Close()
	})
}

func TestImportWritesOnlyWhereNothingIs(t *testing.T) {
	bubble(t, cluster.Options{}, func(t *testing.T, m *cluster.Member, store *clustertest.Memory, _ func() *cluster.Member) {
		file := cursor.State{Instance: "one", Events: 12}
		if err := cluster.Import(t.Context(), store, file); err != nil {
			t.Fatal(err)
		}
		if err := cluster.Import(t.Context(), store, file); err == nil || !strings.Contains(err.Error(), "nothing was written") {
			t.Errorf("a second import: %v", err)
		}
		if _, s := hold(t, m); s.Events != 12 {
			t.Errorf("state %+v", s)
		}
		if err := cluster.Import(t.Context(), store, file); err == nil || !strings.Contains(err.Error(), "stop the members") {
			t.Errorf("an import under a reader: %v", err)
		}
	})
}

// The plugins keep their file, and load nothing of the stores.
func TestPluginsLinkNoStore(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "./plugin/...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), "zitadel-siem/internal/cursor") {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	for _, bad := range []string{"internal/cluster", "jackc/pgx", "go.etcd.io"} {
		if strings.Contains(string(out), bad) {
			t.Errorf("the plugins link %s", bad)
		}
	}
}
