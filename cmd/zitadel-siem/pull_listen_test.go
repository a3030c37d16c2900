package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
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
