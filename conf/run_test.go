package conf

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testkit.RemoveBuilt()
	os.Exit(code)
}

// zitadelServer is one for all tests: the recorded events, as if the last one
// were a minute old, so that no reader waits for late ones.
var zitadelServer = sync.OnceValues(func() (*zitadeltest.Server, error) {
	store := zitadeltest.NewStore()
	store.Append(zitadeltest.RecordedEvents(time.Now().Add(-time.Minute))...)
	server := zitadeltest.NewServer(store, zitadeltest.Options{})
	return server, server.Start("127.0.0.1:0")
})

// place is where one configuration runs: a directory, which is short since a
// path of a socket has 108 bytes at most.
type place struct {
	t      *testing.T
	dir    string
	server *zitadeltest.Server
	change []string // old and new, in turn
}

func newPlace(t *testing.T) *place {
	t.Helper()
	testkit.FluentBit(t)
	input, output := testkit.Plugin(t, "in_zitadel"), testkit.Plugin(t, "out_zitadel")
	server, err := zitadelServer()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "conf")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &place{t: t, dir: dir, server: server}
	p.write("token", server.Token())
	p.change = []string{
		"./build/in_zitadel.so", input,
		"./build/out_zitadel.so", output,
		"https://zitadel.example.com", server.URL(),
		"/etc/fluent-bit/zitadel.token", p.path("token"),
		"/var/lib/fluent-bit/", dir + "/",
		"/var/lib/docker/containers/", dir + "/containers/",
		"grace: 10", "grace: 2",
		"scheduler.cap: 60", "scheduler.cap: 2\n  scheduler.base: 1",
	}
	return p
}

func (p *place) path(parts ...string) string {
	return filepath.Join(append([]string{p.dir}, parts...)...)
}

// write makes a file with its directories.
func (p *place) write(name, text string) {
	p.t.Helper()
	path := p.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// run starts Fluent Bit with a configuration of [Files], moved here with what it
// includes.
func (p *place) run(name string, env ...string) process {
	p.t.Helper()
	moved := strings.NewReplacer(p.change...)
	for _, file := range []string{name, sources, "syslog.lua"} {
		data, err := Files.ReadFile(file)
		if err != nil {
			p.t.Fatal(err)
		}
		p.write("conf/"+file, moved.Replace(string(data)))
	}
	return start(p.t, p.path("conf", name), env...)
}

// process is a running Fluent Bit.
type process struct{ *testkit.Process }

func start(t *testing.T, config string, env ...string) process {
	t.Helper()
	cmd := exec.Command(testkit.FluentBit(t), "-c", config)
	cmd.Env = append(os.Environ(), env...)
	return process{testkit.Start(t, cmd, nil)}
}

// stop wants a Fluent Bit that has nothing left to do, and no trouble.
func (p process) stop(t *testing.T, expected ...string) {
	t.Helper()
	p.Stop()
	said := p.Err.String()
	if !strings.Contains(said, "(0 pending tasks)") {
		t.Error("chunks are left that were not delivered")
	}
	for line := range strings.Lines(said) {
		if strings.Contains(line, "[error]") && !slices.ContainsFunc(expected, func(s string) bool { return strings.Contains(line, s) }) {
			t.Error(line)
		}
	}
}

// logLines are what a real ZITADEL wrote to standard error during logins that
// ran its example script: right, with a wrong password, with a forged user name,
// with a forged user agent. The last one is broken and tells no time, so that
// its record has no id.
func logLines(t *testing.T) (lines []string) {
	t.Helper()
	for _, name := range []string{"001-ok-alice-0", "004-wrong-alice-0", "013-wrong_bob_remoteAddr_6.6.6.6_request_", "043-evil-ua"} {
		data, err := os.ReadFile("../parser/testdata/recorded/" + name + ".stderr")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			lines = append(lines, strings.TrimRight(line, "\n"))
		}
	}
	return append(lines, `time="2026-11-22T09:24:58Z" level=info msg="log record emitted" record="{broken"`)
}

// actionIDs are the ids of the records of lines, "" for that of the broken one.
func actionIDs(lines []string) (ids []string) {
	p := parser.New(parser.Options{Kinds: parser.KindsOf("log", "run_started", "run_succeeded", "run_failed", "malformed")})
	var r parser.Record
	for _, line := range lines {
		if p.Parse([]byte(line), &r) {
			ids = append(ids, r.ID())
		}
	}
	slices.Sort(ids)
	return ids
}

// docker writes lines as Docker keeps those of a container with a tag.
func docker(lines []string, tag string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b) // with the escapes that Docker writes
	for _, line := range lines {
		_ = enc.Encode(struct {
			Log    string            `json:"log"`
			Stream string            `json:"stream"`
			Attrs  map[string]string `json:"attrs,omitempty"`
			Time   string            `json:"time"`
		}{line + "\n", "stderr", map[string]string{"com.example.a": "1", "tag": tag}, "2026-11-22T09:24:58.001346628Z"})
	}
	return b.String()
}

// logFile is that of a container, below /var/lib/docker/containers.
func logFile(id string) string {
	id = strings.Repeat(id, 64/len(id))
	return "containers/" + id + "/" + id + "-json.log"
}

// decode reads lines of JSON, and passes over other lines.
func decode(t *testing.T, text string, inner ...string) (records []record) {
	t.Helper()
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "{") || !strings.HasSuffix(line, "\n") {
			continue
		}
		raw := json.RawMessage(line)
		for _, key := range inner {
			var m map[string]json.RawMessage
			if err := json.Unmarshal(raw, &m); err != nil {
				t.Fatalf("%v: %.300s", err, line)
			}
			raw = m[key]
		}
		var s string
		if json.Unmarshal(raw, &s) == nil {
			s = strings.TrimPrefix(s, "\ufeff") // syslog begins with it
			if r, ok := syslogRecord(t, s); ok {
				records = append(records, r)
				continue
			}
			raw = json.RawMessage(s)
		}
		var r record
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatalf("%v: %.300s", err, line)
		}
		records = append(records, r)
	}
	return records
}

// streams takes records apart: the ids of each stream, sorted.
func streams(records []record) (events, actions []string) {
	for _, r := range records {
		switch r.Source {
		case "events_api":
			events = append(events, r.id())
		case parser.Source:
			actions = append(actions, r.id())
		}
	}
	slices.Sort(events)
	slices.Sort(actions)
	return events, actions
}

func distinct(ids []string) int { return len(slices.Compact(slices.Clone(ids))) }

// markers are secrets of the recordings, and where they begin.
var markers = []string{
	"Passw0rd!x", "N3wPassw0rd!", "zitadel.useragent=", "zitadel.login.csrf=", "gorilla.csrf.Token", "$2a$", "Crypted", "code=ey",
}

// noSecrets searches everything that left Fluent Bit.
func noSecrets(t *testing.T, outputs ...string) {
	t.Helper()
	for _, out := range outputs {
		for _, marker := range markers {
			if i := strings.Index(out, marker); i >= 0 {
				t.Errorf("%s arrived: %.300s", marker, out[max(0, i-100):])
			}
		}
	}
}

// The search has to be able to find something.
func TestLogLinesHoldSecrets(t *testing.T) {
	text := strings.Join(logLines(t), "\n")
	for _, marker := range []string{"Passw0rd!x", "zitadel.useragent=", "gorilla.csrf.Token"} {
		if !strings.Contains(text, marker) {
			t.Errorf("no %s in them", marker)
		}
	}
	if ids := actionIDs(logLines(t)); len(ids) < 13 || ids[0] != "" || ids[1] == "" {
		t.Errorf("ids %q", ids)
	}
}
