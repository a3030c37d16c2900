package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// A transaction that is held open for many times the overlap, in aggregates in which nothing
// follows. The program is killed in between.
func TestLaw2PullFindsTheEventsOfAHeldTransaction(t *testing.T) {
	t.Parallel()
	store := zitadeltest.NewStore()
	server := zitadeltest.NewServer(store, zitadeltest.Options{})
	if err := server.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	env := environment(server, "ZITADEL_STATE_PATH="+filepath.Join(dir, "state"), "ZITADEL_SWEEP=2s")
	writer := zitadeltest.NewWriter(store, 1, nil)
	writer.Append(10)
	start := func() (stop func(os.Signal)) {
		file, err := os.OpenFile(out, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		cmd := program(t, env, "pull")
		cmd.Stdout = file
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return func(sig os.Signal) {
			_ = cmd.Process.Signal(sig) // Wait tells whether it ended
			_ = cmd.Wait()
			file.Close()
		}
	}
	ids := func() map[string]int {
		text, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return idsOf(t, string(text[:strings.LastIndexByte(string(text), '\n')+1]))
	}
	stop := start()
	defer func() { stop(os.Kill) }()
	testkit.Until(t, "the first events", func() bool { return len(ids()) == store.Len() })

	held := store.Begin(time.Now())
	before := store.Len()
	writer.Append(10)
	testkit.Until(t, "events behind the held ones", func() bool { return len(ids()) == store.Len() })
	stop(syscall.SIGKILL)
	stop = start()
	time.Sleep(5 * 100 * time.Millisecond) // not a wait: the held events have to be later than the overlap
	held.Push(zitadeltest.Event{AggregateType: "user", AggregateID: "held", Type: "user.human.added", ResourceOwner: "org"},
		zitadeltest.Event{AggregateType: "org", AggregateID: "held", Type: "org.added", ResourceOwner: "org"})
	held.Commit()
	testkit.Until(t, "the held events", func() bool {
		writer.Append(1) // so that the reader knows ZITADEL's time
		got := ids()
		return got["test/user/held/1"] == 1 && got["test/org/held/1"] == 1
	})
	stop(syscall.SIGTERM)
	for id, n := range ids() {
		if n != 1 && strings.Contains(id, "held") {
			t.Errorf("%s came %d times", id, n)
		}
	}
	if before == store.Len() {
		t.Error("nothing was written behind the held events")
	}
	stop = func(os.Signal) {}
}
