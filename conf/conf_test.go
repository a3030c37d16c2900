package conf

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/config/flbconf"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

func names(t *testing.T) []string {
	t.Helper()
	names, err := fs.Glob(Files, "*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no configuration is embedded: %v", err)
	}
	return names
}

func TestOurOwnCheckFindsNothingInTheConfigurations(t *testing.T) {
	for _, name := range names(t) {
		t.Run(name, func(t *testing.T) {
			report, err := flbconf.Check(name, flbconf.Options{
				LookupEnv: func(string) (string, bool) { return "", false },
				Parse:     config.ParseOptions{NoFiles: true}, // they name files of the user's machine
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range report.Findings {
				t.Error(f)
			}
			if len(report.Inputs) == 0 {
				t.Error("no zitadel input in it")
			}
		})
	}
}

// The check has to be able to fail, or the test above says nothing.
func TestOurOwnCheckSeesWhatTheConfigurationsKeep(t *testing.T) {
	data, err := Files.ReadFile("fluent-bit.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, kept := range []string{"      threaded: off\n", "      storage.type: filesystem\n", "  storage.path: /var/lib/fluent-bit/storage\n"} {
		if !strings.Contains(string(data), kept) {
			t.Fatalf("fluent-bit.yaml has no line %q", kept)
		}
		path := filepath.Join(t.TempDir(), "without.yaml")
		if err := os.WriteFile(path, []byte(strings.Replace(string(data), kept, "", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		report, err := flbconf.Check(path, flbconf.Options{Parse: config.ParseOptions{NoFiles: true}})
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Findings) == 0 {
			t.Errorf("nothing is found without %q", strings.TrimSpace(kept))
		}
	}
}

// TestFluentBitRunsTheConfigurations needs a real Fluent Bit ($FLUENT_BIT or
// on PATH) and the plugin that build.sh makes.
func TestFluentBitRunsTheConfigurations(t *testing.T) {
	fluentBit := os.Getenv("FLUENT_BIT")
	if fluentBit == "" {
		fluentBit, _ = exec.LookPath("fluent-bit")
	}
	if fluentBit == "" {
		t.Skip("no fluent-bit on PATH, FLUENT_BIT is not set")
	}
	plugin, err := filepath.Abs("../build/in_zitadel.so")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(plugin); err != nil {
		t.Skip("build/in_zitadel.so is not built: ./build.sh plugin")
	}
	store := zitadeltest.NewStore()
	store.Append(zitadeltest.RecordedEvents(time.Now())...)
	server := zitadeltest.NewServer(store, zitadeltest.Options{})
	if err := server.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() }) // after the parallel tests

	for _, name := range names(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			token, state := filepath.Join(dir, "token"), filepath.Join(dir, "state")
			if err := os.WriteFile(token, []byte(server.Token()), 0o600); err != nil {
				t.Fatal(err)
			}
			data, err := Files.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			moved := strings.NewReplacer(
				"./build/in_zitadel.so", plugin,
				"https://zitadel.example.com", server.URL(),
				"/etc/fluent-bit/zitadel.token", token,
				"/var/lib/fluent-bit/zitadel.state", state,
				"/var/lib/fluent-bit/storage", filepath.Join(dir, "storage"),
				"aggregator.example.com", "127.0.0.1",
				"grace: 10", "grace: 1",
			).Replace(string(data))
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte(moved), 0o600); err != nil {
				t.Fatal(err)
			}
			startUntilItAcknowledges(t, fluentBit, path, state)
		})
	}
}

// startUntilItAcknowledges runs Fluent Bit until the cursor has moved: then it
// has loaded the plugin, the plugin its options, and Fluent Bit has events.
//
// Its own --dry-run is of no use: it pauses a Go input that it never
// initialised, and crashes (5.1.1).
func startUntilItAcknowledges(t *testing.T, fluentBit, path, state string) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(fluentBit, "-c", path)
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	said := func() string {
		text, _ := os.ReadFile(log.Name())
		return string(text)
	}

	deadline := time.After(30 * time.Second)
	for {
		if s, err := cursor.Read(state); err == nil && s.Events > 0 {
			break
		}
		select {
		case err := <-ended:
			t.Fatalf("fluent-bit ended: %v\n%s", err, said())
		case <-deadline:
			_ = cmd.Process.Kill()
			t.Fatalf("no event was acknowledged\n%s", said())
		case <-time.After(20 * time.Millisecond):
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("fluent-bit ended with %v\n%s", err, said())
	}
}
