package deploy

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// TestPod_AnotherOneReadsWhatAPodThatDiedHasRead runs two rendered pods with a real PostgreSQL,
// and kills one. A source is held whether or not its ZITADEL answers.
func TestPod_AnotherOneReadsWhatAPodThatDiedHasRead(t *testing.T) {
	store, away := postgres(t), free(t)
	var sources []any
	for i := range 4 {
		sources = append(sources, map[string]any{
			"name": fmt.Sprintf("s%d", i), "url": fmt.Sprintf("http://127.0.0.%d:%d", 1+i, away),
			"auth": map[string]any{"existingSecret": "zitadel-siem-token"},
		})
	}
	start := func(port int) *exec.Cmd {
		values := with(t, example(t, "sidecar-values.yaml"), fmt.Sprintf(`{
			replicas: 2, metrics: {port: %d}, destination: {forward: "tls://127.0.0.1:%d"},
			state: {url: "postgres://siem@127.0.0.1:%d/postgres", lease: 3s, password: {existingSecret: siem-store}}}`, port, away, store))
		values["sources"] = sources
		p := run(t, render(t, values), first)
		cmd := p.command(t.Context(), t)
		log, err := os.Create(filepath.Join(p.root, "log"))
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { defer close(ended); _ = cmd.Wait() }()
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			<-ended
			log.Close()
			if text, _ := os.ReadFile(log.Name()); t.Failed() {
				t.Logf("the pod with port %d:\n%s", port, text)
			}
		})
		return cmd
	}
	one, two := free(t), free(t)
	pod := start(one)
	start(two)
	eventually(t, "each holds its share", func() bool { return held(one) == "2" && held(two) == "2" })
	if err := pod.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other one holds all", func() bool { return held(two) == "4" })
}

// held is how many sources a pod reads, by its metrics; "" while it does not answer.
func held(port int) string {
	answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", port))
	if err != nil {
		return ""
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	if m := regexp.MustCompile(`(?m)^zitadel_siem_sources_held (\d+)$`).FindSubmatch(text); m != nil {
		return string(m[1])
	}
	return ""
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in two minutes: %s", what)
		}
	}
}

// postgres starts a PostgreSQL for the test, and returns its port. It is skipped if none is installed.
func postgres(t *testing.T) int {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pg_ctl")
	if len(found) == 0 {
		t.Skip("no PostgreSQL in /usr/lib/postgresql (on Debian: apt-get install postgresql): the pods did NOT share one")
	}
	dir, err := os.MkdirTemp("", "zitadel-siem-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var owner *syscall.Credential
	if os.Getuid() == 0 { // PostgreSQL refuses to run as root
		account, err := user.Lookup("postgres")
		if err != nil {
			t.Skip("PostgreSQL does not run as root, and there is no user postgres: the pods did NOT share one")
		}
		uid, _ := strconv.Atoi(account.Uid)
		gid, _ := strconv.Atoi(account.Gid)
		owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	port, data, bin := free(t), filepath.Join(dir, "data"), filepath.Dir(found[len(found)-1])
	do := func(program string, args ...string) {
		cmd := exec.Command(filepath.Join(bin, program), args...)
		cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Credential: owner}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", program, err, out)
		}
	}
	do("initdb", "-D", data, "-U", "siem", "-A", "trust", "--no-sync")
	do("pg_ctl", "-D", data, "-l", filepath.Join(dir, "log"), "-w", "-o", fmt.Sprintf("-p %d -k %s -c listen_addresses=127.0.0.1", port, dir), "start")
	t.Cleanup(func() { do("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop") })
	return port
}
