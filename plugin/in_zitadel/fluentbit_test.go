package main_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/leaktest"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
	"github.com/zitadel-siem/zitadel-siem/plugin/plugintest"
)

// fluentBit is a Fluent Bit with the plugin.
type fluentBit struct {
	*plugintest.FluentBit
	t *testing.T
}

// newFluentBit starts one. More of its environment is in env, where the last of
// one name counts.
func newFluentBit(t *testing.T, config string, srv *zitadeltest.Server, env ...string) *fluentBit {
	t.Helper()
	env = append([]string{"THREADED=off"}, env...)
	if srv != nil {
		env = append(env, "ZITADEL_URL="+srv.URL(), "ZITADEL_TOKEN="+srv.Token())
	}
	return &fluentBit{plugintest.StartFluentBit(t, config, env, "in_zitadel"), t}
}

// records returns the records in an output file. A kill can cut a line that the
// output is writing. Fluent Bit writes the whole chunk again after it, beginning
// on the same line.
func (f *fluentBit) records(file string) []string {
	f.t.Helper()
	lines := f.Lines(file)
	for i, line := range lines {
		lines[i] = line[max(0, strings.LastIndex(line, `{"event":{`)):]
	}
	return lines
}

// came is an event in an output file.
type came struct {
	ID     string
	ReadAt time.Time `json:"read_at"`
}

func (f *fluentBit) came(file string) (events []came) {
	f.t.Helper()
	for _, line := range f.records(file) {
		var rec struct{ Event came }
		if err := json.Unmarshal([]byte(line), &rec); err != nil {
			f.t.Fatalf("no record: %.200s: %v", line, err)
		}
		events = append(events, rec.Event)
	}
	return events
}

// ids returns event.id of every record in an output file.
func (f *fluentBit) ids(file string) (ids []string) {
	f.t.Helper()
	for _, e := range f.came(file) {
		ids = append(ids, e.ID)
	}
	return ids
}

// sameLines counts lines that came out again byte for byte, event.read_at
// included: those Fluent Bit sent twice, we did not read them twice.
func (f *fluentBit) sameLines(file string) (n int) {
	f.t.Helper()
	seen := map[string]bool{}
	for _, line := range f.records(file) {
		if seen[line] {
			n++
		}
		seen[line] = true
	}
	return n
}

func distinct(ids []string) int {
	set := make(map[string]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return len(set)
}

func (f *fluentBit) waitForIDs(file string, n int) {
	f.t.Helper()
	f.Until("all records in the file", func() bool { return distinct(f.ids(file)) >= n })
}

func TestFluentBit_EveryEventOnce(t *testing.T) {
	t.Parallel()
	srv := zitadel(t)
	f := newFluentBit(t, "fluent-bit.yaml", srv)
	f.waitForIDs("records", srv.Store().Len())
	w := zitadeltest.NewWriter(srv.Store(), 1, nil)
	w.Append(100)
	f.waitForIDs("records", srv.Store().Len())
	f.Stop()
	if n := wantAll(t, srv.Store(), "lab", f.ids("records")); n != 0 {
		t.Errorf("%d repeats", n)
	}
	if s := f.Log.String(); strings.Contains(s, "[ warn] [input:zitadel") || strings.Contains(s, srv.Token()) {
		t.Errorf("log:\n%s", s)
	}
}

func TestFluentBit_KilledInTheMiddleLosesNothing(t *testing.T) {
	t.Parallel()
	store := zitadeltest.NewStore()
	store.Fill(zitadeltest.Synthetic{Events: 16_000, From: time.Now().Add(-time.Hour), PerTransaction: 3})
	srv := serve(t, store)
	f := newFluentBit(t, "fluent-bit.yaml", srv)
	kills := 0
	for _, at := range []int{1, 4_000, 8_000} {
		before := committed(t, filepath.Join(f.Dir, "one.state"))
		testkit.Until(t, "some more events", func() bool {
			n := committed(t, filepath.Join(f.Dir, "one.state"))
			return n > before && n >= uint64(at)
		})
		if committed(t, filepath.Join(f.Dir, "one.state")) < uint64(store.Len()) {
			kills++
		}
		f.Kill()
		f.Start()
	}
	f.waitForIDs("records", store.Len())
	f.Stop()
	repeats := wantAll(t, store, "lab", f.ids("records"))
	t.Logf("%d kills in the middle, %d events, 0 lost, %d repeated (%d of them by Fluent Bit's own storage)",
		kills, store.Len(), repeats, f.sameLines("records"))
	if kills == 0 {
		t.Error("no kill was in the middle: the test shows nothing")
	}
}

func TestFluentBit_WrongConfigFailsToStart(t *testing.T) {
	t.Parallel()
	f := newFluentBit(t, "wrong.yaml", nil)
	if err := f.Wait(); err == nil {
		t.Error("fluent-bit ended well")
	}
	for _, part := range []string{"[error] [input:zitadel:zitadel.0]", "url", "state_path", "tag_by", "poll_interval"} {
		if !strings.Contains(f.Log.String(), part) {
			t.Errorf("the log says nothing of %s:\n%s", part, f.Log)
		}
	}
}

func TestFluentBit_EndsPromptlyWhenZitadelHangs(t *testing.T) {
	t.Parallel()
	srv := zitadel(t)
	srv.Update(func(f *zitadeltest.Faults) { f.Latency = time.Hour })
	f := newFluentBit(t, "fluent-bit.yaml", srv)
	testkit.Until(t, "a request under way", func() bool { return srv.Requests() > 0 })
	if d := f.Stop(); d > 8*time.Second { // grace is 2 s
		t.Errorf("the end took %v", d)
	}
}

// reload is a SIGHUP. It returns once a new instance reads.
func (f *fluentBit) reload(meanwhile func()) {
	f.t.Helper()
	count := func(part string) int { return strings.Count(f.Log.String(), part) }
	stopped, reading, refused := count("] stopped read="), count("] reading starts"), count("reloading in progress")
	f.Signal(syscall.SIGHUP)
	meanwhile()
	f.Until("the old instance to stop, and a new one", func() bool {
		// The new instance reads a moment before Fluent Bit takes the next signal.
		if now := count("reloading in progress"); now > refused {
			refused = now
			f.Signal(syscall.SIGHUP)
		}
		return count("] stopped read=") > stopped && count("] reading starts") > reading
	})
}

func TestFluentBit_TwentyReloadsLoseAndLeakNothing(t *testing.T) {
	t.Parallel()
	srv := zitadel(t)
	f := newFluentBit(t, "fluent-bit.yaml", srv)
	w := zitadeltest.NewWriter(srv.Store(), 1, nil)
	f.waitForIDs("records", 1000)
	var warm leaktest.Usage
	for n := range 20 {
		f.reload(func() { w.Append(50) })
		if n == 4 {
			warm = f.Usage()
		}
	}
	f.waitForIDs("records", srv.Store().Len())
	leaktest.WantLevel(t, warm, leaktest.Usage{Descriptors: 2, Tasks: 4, KiB: 8 << 10}, f.Usage)
	f.Stop()
	if n := wantAll(t, srv.Store(), "lab", f.ids("records")); n != 0 {
		t.Errorf("%d repeats", n)
	}
}

func TestFluentBit_TwoInstancesAndTags(t *testing.T) {
	t.Parallel()
	srv := zitadel(t)
	f := newFluentBit(t, "two-instances.yaml", srv)
	f.waitForIDs("records", srv.Store().Len())
	f.waitForIDs("records-two", srv.Store().Len())
	f.Stop()
	if n := wantAll(t, srv.Store(), "lab", f.ids("records")); n != 0 {
		t.Errorf("%d repeats", n)
	}
	if n := wantAll(t, srv.Store(), "second", f.ids("records-two")); n != 0 {
		t.Errorf("%d repeats", n)
	}
}

// Without `threaded: off` Fluent Bit acknowledges nothing.
func TestFluentBit_OnAnInputThreadACrashRepeatsRatherThanLoses(t *testing.T) {
	t.Parallel()
	srv := zitadel(t)
	f := newFluentBit(t, "threaded.yaml", srv)
	testkit.Until(t, "a committed state", func() bool { return committed(t, filepath.Join(f.Dir, "one.state")) > 0 })
	f.Kill()
	f.Start()
	f.waitForIDs("records", srv.Store().Len())
	testkit.Until(t, "the warning of each run", func() bool {
		return strings.Count(f.Log.String(), "`threaded: off`") >= 2
	})
	f.Stop()
	t.Logf("%d repeated", wantAll(t, srv.Store(), "lab", f.ids("records")))
	if n := strings.Count(f.Log.String(), "`threaded: off`"); n != 2 {
		t.Errorf("the mend is told %d times in two runs:\n%s", n, f.Log)
	}
}
