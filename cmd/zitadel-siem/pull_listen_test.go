package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/spool"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// Killed with -9 while webhooks arrive: what was answered with 200 is in the
// spool, and what was not comes by pulling.
func TestPull_KillsWhileWebhooksArriveLoseNothing(t *testing.T) {
	const key = "of-a-target-in-a-test"
	server := startRecorded(t, zitadeltest.Options{})
	dir := t.TempDir()
	keys := filepath.Join(dir, "targets")
	if err := os.Mkdir(keys, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(keys, "siem"), []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + testkit.FreePort(t)
	env := environment(server, "ZITADEL_STATE_PATH="+filepath.Join(dir, "state"), "ZITADEL_WEBHOOK_LISTEN="+address, "ZITADEL_WEBHOOK_KEYS_DIR="+keys)
	out := filepath.Join(dir, "out")
	target := zitadeltest.NewTarget("http://"+address+"/siem", key)
	writer := zitadeltest.NewWriter(server.Store(), 1, nil)
	const kills = 4
	for range kills {
		file, err := os.OpenFile(out, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		cmd := program(t, env, "listen")
		cmd.Stdout = file
		waitFor(t, listenTo(t, cmd), "webhooks are received")
		file.Close()
		taken := 0
		for end := time.Now().Add(30 * time.Second); taken < 20; {
			taken += target.Happen(server.Store(), writer.Next())
			if time.Now().After(end) {
				t.Fatalf("%d webhooks were taken", taken)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		target.Happen(server.Store(), writer.Next()) // nobody is there
	}
	file, err := os.OpenFile(out, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := program(t, env, "pull")
	cmd.Stdout = file
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, k := range server.Store().Keys() {
		want[record.Key{Instance: "test", AggregateType: k.AggregateType, AggregateID: k.AggregateID, Sequence: k.Sequence}.ID()] = true
	}
	var counts map[string]int
	testkit.Until(t, "every event", func() bool {
		var whole strings.Builder
		for line := range strings.Lines(readFile(t, out)) {
			if gjson.Valid(line) { // a kill cuts one, and its event comes again
				whole.WriteString(line)
			}
		}
		counts = idsOf(t, whole.String())
		return len(counts) >= len(want)
	})
	if status := interrupt(t, cmd, syscall.SIGINT); status != 0 {
		t.Errorf("exit status %d", status)
	}
	repeats := 0
	for id := range want {
		if counts[id] == 0 {
			t.Errorf("%s is lost", id)
		}
		repeats += max(0, counts[id]-1)
		delete(counts, id)
	}
	if len(counts) > 0 {
		t.Errorf("foreign: %v", counts)
	}
	t.Logf("%d events, %d kills, %d repeated", len(want), kills, repeats)
}

// Ended by SIGTERM while API calls arrive without a pause: every one that was answered with 200 comes
// out before the end, and the spool is empty. Its volume may be deleted with the process.
func TestPull_SigtermWhileWebhooksArriveHandsOverAll(t *testing.T) {
	t.Parallel()
	const key = "of-a-target-in-a-test"
	server := startRecorded(t, zitadeltest.Options{})
	dir := t.TempDir()
	keys := filepath.Join(dir, "targets")
	if err := errors.Join(os.Mkdir(keys, 0o700), os.WriteFile(filepath.Join(keys, "siem"), []byte(key), 0o600)); err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + testkit.FreePort(t)
	env := environment(server, "ZITADEL_STATE_PATH="+filepath.Join(dir, "state"), "ZITADEL_WEBHOOK_LISTEN="+address, "ZITADEL_WEBHOOK_KEYS_DIR="+keys)
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := program(t, env, "listen")
	cmd.Stdout = out
	said := listenTo(t, cmd)
	waitFor(t, said, "webhooks are received")

	target := zitadeltest.NewTarget("http://"+address+"/siem", key)
	var mu sync.Mutex
	accepted := map[string]bool{}
	var sent atomic.Int64
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for refused := 0; refused < 3; { // until nobody is there any more
				user := fmt.Sprint("call-", sent.Add(1))
				if !target.Post(fmt.Appendf(nil, `{"fullMethod":"/zitadel.user.v2.UserService/SetPassword","instanceID":"1","orgID":"2","userID":%q}`, user)) {
					refused++
					continue
				}
				mu.Lock()
				accepted[user] = true
				mu.Unlock()
			}
		})
	}
	testkit.Until(t, "calls", func() bool { mu.Lock(); defer mu.Unlock(); return len(accepted) >= 200 })
	if status := interrupt(t, cmd, syscall.SIGTERM); status != 0 {
		t.Errorf("exit status %d\n%s", status, said)
	}
	senders.Wait()
	came := map[string]int{}
	for line := range strings.Lines(readFile(t, out.Name())) {
		if gjson.Get(line, "event.type").Str == "api.request" {
			came[gjson.Get(line, "editor.id").Str]++
		}
	}
	for user := range accepted {
		if came[user] != 1 {
			t.Errorf("%s was answered with 200 and came %d times", user, came[user])
		}
	}
	left, err := spool.Open(filepath.Join(dir, "state.spool"), spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer left.Close()
	if n := left.Usage().Entries; n != 0 {
		t.Errorf("%d entries are in the spool\n%s", n, said)
	}
	t.Logf("%d calls were accepted", len(accepted))
}
