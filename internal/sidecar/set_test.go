package sidecar

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/sink"
	"github.com/zitadel-siem/zitadel-siem/internal/source"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// opener opens a source as the program does.
func opener(ctx context.Context, s config.PullSettings, hold Hold) (*Feed, error) {
	return openerWith(slog.New(slog.DiscardHandler))(ctx, s, hold)
}

func openerWith(log *slog.Logger) Opener {
	return func(ctx context.Context, s config.PullSettings, hold Hold) (*Feed, error) {
		to, _, err := sink.Open(s.Out, format.Raw(), nil)
		if err != nil {
			return nil, err
		}
		return Open(ctx, s, to, source.Options{Log: log, Held: hold.Held, State: hold.State, Listener: hold.Listener, Relay: hold.Relays()})
	}
}

// runSet runs a set until the end of the test.
func runSet(t *testing.T, list ...config.PullSettings) *Set {
	t.Helper()
	return runOpening(t, opener, list...)
}

// runOpening is runSet with another opener.
func runOpening(t *testing.T, open Opener, list ...config.PullSettings) *Set {
	t.Helper()
	set, err := Start(t.Context(), list, open, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	set.Stays = true
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- set.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	testkit.Until(t, "the start", func() bool { set.mu.Lock(); defer set.mu.Unlock(); return set.ctx != nil })
	return set
}

// wantOnce waits until every event of srv has come once under the label instance.
func wantOnce(t *testing.T, srv *zitadeltest.Server, far *forwardtest.Server, instance string) {
	t.Helper()
	var counts map[string]int
	ids := func() (missing int) {
		counts = arrived(far)
		for _, e := range srv.Store().Keys() {
			if counts[(record.Key{Instance: instance, AggregateType: e.AggregateType, AggregateID: e.AggregateID, Sequence: e.Sequence}).ID()] == 0 {
				missing++
			}
		}
		return missing
	}
	testkit.Until(t, "every event of "+instance, func() bool { return ids() == 0 })
	for id, n := range counts {
		if strings.HasPrefix(id, instance+"/") && n != 1 {
			t.Errorf("%s came %d times", id, n)
		}
	}
}

func more(srv *zitadeltest.Server, n int) {
	srv.Store().Fill(zitadeltest.Synthetic{Events: n, From: time.Now(), Every: time.Microsecond, PerTransaction: 3})
}

func TestLaw2_AReloadLosesAndRepeatsNothing(t *testing.T) {
	far := forwardtest.Start(t, forwardtest.Options{Delay: time.Millisecond, Answer: func(int) forwardtest.Answer { return forwardtest.Late }})
	var list []config.PullSettings
	servers := map[string]*zitadeltest.Server{}
	for _, name := range []string{"stays", "changes", "goes", "comes"} {
		servers[name] = serve(t, 600)
		list = append(list, settings(t, servers[name], far, "instance", name, "page_size", "50"))
	}
	stays, changes, goes, comes := list[0], list[1], list[2], list[3]
	set := runSet(t, stays, changes, goes)
	first := set.Feeds()
	testkit.Until(t, "some events", func() bool {
		for _, f := range first {
			if f.Pipe.Stats.Taken.Load() < 50 {
				return false
			}
		}
		return true
	})

	for i := range 6 { // in the middle of reading
		changes.PageSize = 20 + i
		if did := set.Apply([]config.PullSettings{comes, stays, changes}); did.Changed != 1 || did.Same != 1 && i == 0 || did.Removed != 1 && i == 0 {
			t.Errorf("%d: %+v", i, did)
		}
	}
	for _, name := range []string{"stays", "changes", "comes"} {
		more(servers[name], 30)
		wantOnce(t, servers[name], far, name)
	}
	now := set.Feeds()
	if len(now) != 3 || now[1] != first[0] || now[0].Settings.Instance != "comes" {
		t.Error("the source with equal settings was touched, or the order is not that of the list")
	}

	// The one that went has left its state to whoever comes next.
	file, _, err := cursor.Open(goes.StatePath, "goes")
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if did := set.Apply([]config.PullSettings{comes, stays, changes, goes}); did != (Changes{Added: 1, Same: 3}) {
		t.Errorf("%+v", did)
	}
	wantOnce(t, servers["goes"], far, "goes")
}

func TestSet_NothingIsLeftOfASourceThatGoes(t *testing.T) {
	srv, far := serve(t, 50), forwardtest.Start(t, forwardtest.Options{})
	one, two := settings(t, srv, far), settings(t, srv, far, "instance", "two")
	set := runSet(t, one, two)
	_, url := serveSet(t, set)
	if _, text := get(t, url+"/metrics"); !strings.Contains(text, `instance="two"`) {
		t.Error("no metrics of a source that runs")
	}
	set.Apply([]config.PullSettings{one})
	for _, path := range []string{"/metrics", "/health"} {
		if _, text := get(t, url+path); strings.Contains(text, `"two"`) || !strings.Contains(text, `"one"`) {
			t.Errorf("%s: %s", path, text)
		}
	}
	set.Apply(nil)
	if status, text := get(t, url+"/health"); status != http.StatusOK || text != "" {
		t.Errorf("without sources: %d %q", status, text)
	}
	set.Apply([]config.PullSettings{two})
	wantOnce(t, srv, far, "two")
}

func TestSet_ASourceThatCannotBeOpenedIsTriedAgain(t *testing.T) {
	srv, far := serve(t, 50), forwardtest.Start(t, forwardtest.Options{})
	one, two := settings(t, srv, far), settings(t, srv, far, "instance", "two")
	other, _, err := cursor.Open(two.StatePath, "two")
	if err != nil {
		t.Fatal(err)
	}
	set := runSet(t, one)
	m, url := serveSet(t, set)
	set.Apply([]config.PullSettings{one, two})
	locked := func() bool {
		_, text := get(t, url+"/health")
		return strings.Contains(text, "the source cannot be opened: ")
	}
	testkit.Until(t, "the lock", locked)
	if page := fmt.Sprintf("%+v", m.status()); !strings.Contains(page, "The source cannot be opened.") {
		t.Error(page)
	}
	wantOnce(t, srv, far, "one")
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	wantOnce(t, srv, far, "two")
	if locked() {
		t.Error("an old problem is shown")
	}
}

func TestStart_OpensAllOrNone(t *testing.T) {
	srv, far := serve(t, 1), forwardtest.Start(t, forwardtest.Options{})
	one, two := settings(t, srv, far), settings(t, srv, far, "instance", "two")
	if err := os.WriteFile(two.StatePath, []byte("foreign"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), []config.PullSettings{one, two}, opener, slog.New(slog.DiscardHandler)); err == nil {
		t.Fatal("a state that is none was taken")
	}
	open(t, one, source.Options{}) // nobody has its state
}

func TestSet_EndsOnceEachSourceHasEnded(t *testing.T) {
	srv, far := serve(t, 50), forwardtest.Start(t, forwardtest.Options{})
	end := time.Now().Add(-time.Second).UTC().Format(time.RFC3339)
	list := []config.PullSettings{settings(t, srv, far, "end", end), settings(t, srv, far, "end", end, "instance", "two")}
	set, err := Start(t.Context(), list, opener, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	set.Stays = true
	if err := set.Run(t.Context()); err != nil {
		t.Error(err)
	}
	if did := set.Apply(list[:1]); did != (Changes{}) {
		t.Errorf("after the end: %+v", did)
	}
	wantOnce(t, srv, far, "one")
	wantOnce(t, srv, far, "two")
}

func TestSet_ASourceThatEndsWithAnErrorIsTold(t *testing.T) {
	srv, far := serve(t, 50), forwardtest.Start(t, forwardtest.Options{})
	log := &testkit.Text{}
	list := []config.PullSettings{settings(t, srv, far), settings(t, srv, far, "instance", "two", "token", "wrong")}
	set, err := Start(t.Context(), list, func(ctx context.Context, s config.PullSettings, hold Hold) (*Feed, error) {
		to, _, err := sink.Open(s.Out, format.Raw(), nil)
		if err != nil {
			return nil, err
		}
		return Open(ctx, s, to, source.Options{Log: slog.New(slog.DiscardHandler), EndOnError: true})
	}, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	m, url := serveSet(t, set)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- set.Run(ctx) }()
	testkit.Until(t, "ill health", func() bool {
		status, text := get(t, url+"/health")
		return status == http.StatusServiceUnavailable && strings.Contains(text, "the source has ended: ")
	})
	if p := m.status().Problems; len(p) != 1 || p[0].Source != "two" || !strings.Contains(p[0].What, "The source has ended. ") {
		t.Errorf("on the page: %+v", p)
	}
	wantOnce(t, srv, far, "one")
	cancel()
	if err := <-done; err == nil || !strings.Contains(err.Error(), `source "two": `) {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "the source has ended: ") || !strings.Contains(log.String(), "instance=two") {
		t.Error(log)
	}
}

func TestReloads_AreCountedAndTheLastFailureIsShown(t *testing.T) {
	srv, far := serve(t, 1), forwardtest.Start(t, forwardtest.Options{})
	set := runSet(t, settings(t, srv, far, "state_path", filepath.Join(t.TempDir(), "s")))
	m, url := serveSet(t, set)
	set.Reloads.Note(fmt.Errorf("line 3: url: is missing"))
	if p := m.status().Problems; len(p) == 0 || !strings.Contains(p[0].What, "line 3: url: is missing") {
		t.Errorf("%+v", p)
	}
	if status, _ := get(t, url+"/health"); status != http.StatusOK {
		t.Errorf("a failed reload is not ill health: %d", status)
	}
	set.Reloads.Note(nil)
	if p := set.Reloads.problem(); p != nil {
		t.Errorf("%+v", p)
	}
	_, text := get(t, url+"/metrics")
	for _, want := range []string{`zitadel_siem_reloads_total{result="failed"} 1`, `zitadel_siem_reloads_total{result="taken"} 1`} {
		if !strings.Contains(text, want) {
			t.Errorf("missing: %s", want)
		}
	}
}
