package main_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
	"github.com/zitadel-siem/zitadel-siem/plugin/plugintest"
)

// keysDir is a directory with the key of one target.
func keysDir(t *testing.T, target, key string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, target), []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Webhooks and pulling in one input, stopped and started again in between.
func TestABI_WebhooksComeAtOnceAndNotAgain(t *testing.T) {
	t.Parallel()
	const key = "of-a-target-in-a-test"
	h, srv := startHost(t, plugintest.Current), zitadel(t)
	address := "127.0.0.1:" + testkit.FreePort(t)
	h.configure(0, srv, "poll_interval 1h", "settle 1m", "webhook_listen "+address, "webhook_keys_dir "+keysDir(t, "siem", key))
	target := zitadeltest.NewTarget("http://"+address+"/siem/event", key)
	writer := zitadeltest.NewWriter(srv.Store(), 1, nil)
	for range 3 {
		h.Want("1", "init 0")
		testkit.Until(t, "a webhook that is taken", func() bool { return target.Happen(srv.Store(), writer.Next()) > 0 })
		testkit.Until(t, "the webhook's event", func() bool {
			h.Do("collect 0")
			ids := idSet(h.ids(0))
			keys := srv.Store().Keys()
			return ids[idOf("lab", keys[len(keys)-1])]
		})
		h.Want("1", "exit")
	}
	h.Options(0, "poll_interval 100ms", "settle 0s")
	h.Want("1", "init 0")
	h.collect(0, srv.Store().Len())
	h.Want("1", "exit")
	h.wantOnce(0, srv)
	if info, err := os.Stat(h.state(0) + ".spool"); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the spool is no directory for its owner alone: %v %v", info, err)
	}
}
