package receivers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const victoriaLogs = "github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs"

// patience bounds every wait: far more than any takes.
const patience = time.Minute

// An analyst finds recorded logins by the fields of ECS. They come from the program by
// the real Fluent Bit, with the output of conf/loki.yaml.
func TestVictoriaLogs_FindsLoginsByTheFieldsOfECS(t *testing.T) {
	fluentBit := os.Getenv("FLUENT_BIT")
	if fluentBit == "" {
		fluentBit, _ = exec.LookPath("fluent-bit")
	}
	if fluentBit == "" {
		t.Skip("no fluent-bit on PATH, FLUENT_BIT is not set: VictoriaLogs was NOT run")
	}
	dir := t.TempDir()
	server := filepath.Join(dir, "victoria-logs")
	if out, err := exec.Command("go", "build", "-o", server, victoriaLogs).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	records := recordedLogins(t)
	write(t, filepath.Join(dir, "records"), records)

	port := freePort(t)
	start(t, server, "-storageDataPath="+filepath.Join(dir, "data"), "-httpListenAddr=127.0.0.1:"+port, "-retentionPeriod=100y", "-futureRetention=100y")
	address := "http://127.0.0.1:" + port
	until(t, "VictoriaLogs listens", func() bool { return get(address+"/health") == "OK" })
	write(t, filepath.Join(dir, "fluent-bit.yaml"), configuration(t, dir, port))
	start(t, fluentBit, "-c", filepath.Join(dir, "fluent-bit.yaml"))

	query := func(q string) string {
		return get(address + "/select/logsql/query?query=" + url.QueryEscape(q+" | stats count() n"))
	}
	all := bytes.Count([]byte(records), []byte("\n"))
	until(t, "everything is there", func() bool { return strings.Contains(query("*"), fmt.Sprintf(`"n":"%d"`, all)) })
	for _, want := range count(t, records) {
		q := fmt.Sprintf("user.name:=%q source.ip:=%q event.outcome:=%q", want.user, want.ip, want.outcome)
		if got := query(q); !strings.Contains(got, fmt.Sprintf(`"n":"%d"`, want.n)) {
			t.Errorf("%s: %s, want %d", q, got, want.n)
		}
	}
	if got := query(`_msg:="Login" _time:[2026-11-22, 2026-11-23)`); strings.Contains(got, `"n":"0"`) {
		t.Errorf("message and time: %s", got)
	}
}

// recordedLogins are lines that a real ZITADEL logged, in ECS.
func recordedLogins(t *testing.T) string {
	t.Helper()
	paths, err := filepath.Glob("../../parser/testdata/recorded/*.stderr")
	if err != nil || len(paths) == 0 {
		t.Fatal("no recorded lines", err)
	}
	cmd := exec.Command("../../build/zitadel-siem", append([]string{"parse", "--format", "ecs"}, paths...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v (./build.sh sidecar builds the program)", err)
	}
	return string(out)
}

type login struct {
	user, ip, outcome string
	n                 int
}

// count counts the logins by what is searched for.
func count(t *testing.T, records string) map[string]*login {
	t.Helper()
	counts := map[string]*login{}
	for line := range strings.Lines(records) {
		var r struct {
			Event  struct{ Outcome string }
			User   struct{ Name string }
			Source struct{ IP string }
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if r.User.Name == "" || r.Source.IP == "" {
			continue
		}
		key := r.User.Name + "\x00" + r.Source.IP + "\x00" + r.Event.Outcome
		if counts[key] == nil {
			counts[key] = &login{r.User.Name, r.Source.IP, r.Event.Outcome, 0}
		}
		counts[key].n++
	}
	if len(counts) < 5 {
		t.Fatalf("only %d different logins", len(counts))
	}
	return counts
}

// configuration has the output of conf/loki.yaml.
func configuration(t *testing.T, dir, port string) string {
	t.Helper()
	data, err := os.ReadFile("../loki.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, output, found := strings.Cut(string(data), "  outputs:\n")
	if !found {
		t.Fatal("conf/loki.yaml has no outputs")
	}
	for _, change := range [][2]string{
		{"host: loki.example.com", "host: 127.0.0.1"}, {"port: 3100", "port: " + port}, {"      tls: on\n", "      tls: off\n"}, {"      tls.verify: on\n", ""}, {"      tls.verify_hostname: on\n", ""},
		{"# uri:", "uri:"}, {"# header: VL", "header: VL"},
	} {
		if !strings.Contains(output, change[0]) {
			t.Fatalf("conf/loki.yaml has no %q", change[0])
		}
		output = strings.Replace(output, change[0], change[1], 1)
	}
	return `
service:
  flush: 0.2
  grace: 1
parsers:
  - name: record
    format: json
    time_key: "@timestamp"
    time_format: "%Y-%m-%dT%H:%M:%S.%LZ"
    time_keep: on
pipeline:
  inputs:
    - name: tail
      tag: zitadel.actions
      path: ` + dir + `/records
      read_from_head: on
      buffer_max_size: 1M
      parser: record
  outputs:
` + output
}

func start(t *testing.T, program string, args ...string) {
	t.Helper()
	var said bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%.5000s", program, said.String())
		}
	})
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for: %s", patience, what)
		}
	}
}

// get returns the body, or "" while nobody answers.
func get(address string) string {
	answer, err := http.Get(address)
	if err != nil {
		return ""
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return string(body)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
