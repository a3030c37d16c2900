package main_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/leaktest"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
	"github.com/zitadel-siem/zitadel-siem/plugin/plugintest"
)

// Law 6, at rest: both plugins in the real Fluent Bit that tells all it can, with
// a token and a key that are refused, killed, and then everything that lies about:
// states, locks, Fluent Bit's own storage, records, the log.
func TestFluentBit_NothingThatIsWrittenHoldsASecret(t *testing.T) {
	t.Parallel()
	store := zitadeltest.NewStore()
	events := zitadeltest.RecordedEvents(time.Now().Add(-time.Minute))
	store.Append(events[len(events)-300:]...)
	srv := zitadeltest.Serve(t, store, zitadeltest.Options{})
	secrets := leaktest.Secrets{
		"token": srv.Token(), "wrong token": "S3CR3T/wrong+token=0123", "shared key": "S3CR3T-shared-key-0123", "wrong key": "S3CR3T-wrong-key",
	}
	env := []string{
		"ZITADEL_URL=" + srv.URL(), "ZITADEL_TOKEN=" + srv.Token(), "WRONG_TOKEN=" + secrets["wrong token"], "SHARED_KEY=" + secrets["shared key"],
		"WRONG_KEY=" + secrets["wrong key"], "PORT=" + testkit.FreePort(t), "HTTP_PORT=" + testkit.FreePort(t),
	}
	for _, marker := range []string{"Passw0rd!x", "N3wPassw0rd!", "zitadel.useragent=", "zitadel.login.csrf=", "gorilla.csrf.Token", "$2a$", "Crypted", "code=ey"} {
		secrets["recorded "+marker] = marker
	}
	lines := recorded(t)
	raw := filepath.Join(t.TempDir(), "zitadel.log") // ZITADEL's own, elsewhere
	if err := os.WriteFile(raw, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	f := plugintest.StartFluentBit(t, "secrets.yaml", append(env, "LOG="+raw), "in_zitadel", "out_zitadel")
	f.Until("records, events and refusals", func() bool {
		log := f.Log.String()
		chunks, _ := filepath.Glob(filepath.Join(f.Dir, "storage", "zitadel.*", "*"))
		return len(f.Lines("records")) >= len(lines) && len(chunks) > 0 &&
			strings.Contains(log, "the token is wrong") && strings.Contains(log, "shared_key")
	})
	secrets.WantNone(t, "the process list", f.CommandLine())
	for _, path := range []string{"", "api/v1/metrics", "api/v2/metrics", "api/v2/metrics/prometheus", "api/v1/plugins"} {
		resp, err := http.Get("http://127.0.0.1:" + strings.TrimPrefix(env[len(env)-1], "HTTP_PORT=") + "/" + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || len(body) == 0 {
			t.Errorf("%s: %v", path, err)
		}
		secrets.WantNone(t, "the answer of /"+path, body)
	}
	f.Kill()
	srv.Stop() // and once more, without a ZITADEL
	f.Start()
	f.Until("trouble", func() bool { return strings.Contains(f.Log.String(), "asking again") })
	f.Kill()

	secrets.WantNone(t, "the log", []byte(f.Log.String()))
	n := secrets.WantNoneBelow(t, f.Dir, func(name string) bool { return strings.Contains(name, ".state") })
	states, _ := filepath.Glob(filepath.Join(f.Dir, "*.state*"))
	if len(states) < 3 { // two locks, a state
		t.Errorf("too few files: %s", states)
	}
	chunks, _ := filepath.Glob(filepath.Join(f.Dir, "storage", "zitadel.*", "*"))
	if len(chunks) == 0 || !bytes.Contains(read(t, chunks[0]), []byte("[REDACTED]")) {
		t.Errorf("no events at rest: %s", chunks)
	}
	t.Logf("%d files, %d bytes of log", n, len(f.Log.String()))
}
