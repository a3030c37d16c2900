package flbconf

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
	"github.com/zitadel-siem/zitadel-siem/plugin/plugintest"
)

func TestMain(m *testing.M) { plugintest.Main(m) }

// patience bounds every wait: far more than any takes.
const patience = time.Minute

// world is one configuration with its ZITADEL, its receiver and its directory.
type world struct {
	program string
	dir     string
	config  string
	zitadel *zitadeltest.Server
	sink    *sink
	log     testkit.Text
	env     []string
}

// run starts Fluent Bit, waits for done, and stops it with SIGTERM.
func (w *world) run(done func() bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.program, "-c", w.config)
	cmd.Env = append(os.Environ(), w.env...)
	cmd.Stdout, cmd.Stderr = &w.log, &w.log
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for !done() {
		select {
		case err := <-ended:
			return fmt.Errorf("%w: %v\n%s", errEnded, err, end(w.log.String()))
		case <-time.After(20 * time.Millisecond):
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := <-ended; err != nil {
		return fmt.Errorf("after SIGTERM: %w\n%s", err, end(w.log.String()))
	}
	return nil
}

var errEnded = errors.New("fluent-bit ended by itself")

// read says that the input has handed over all events: its state counts them.
func (w *world) read() bool {
	states, _ := filepath.Glob(filepath.Join(w.dir, "*.state"))
	for _, path := range states {
		var state struct{ Events int }
		if data, err := os.ReadFile(path); err == nil && json.Unmarshal(data, &state) == nil && state.Events >= w.zitadel.Store().Len() {
			return true
		}
	}
	return false
}

// delivered counts the events that came, each once.
func (w *world) delivered() (ids []string) {
	ids = w.sink.ids()
	files, _ := filepath.Glob(filepath.Join(w.dir, "*.out"))
	for _, path := range files {
		data, _ := os.ReadFile(path)
		for line := range strings.Lines(string(data)) {
			ids = append(ids, idIn(line))
		}
	}
	slices.Sort(ids)
	return slices.DeleteFunc(slices.Compact(ids), func(id string) bool { return id == "" })
}

func idIn(line string) string {
	var r struct{ Event struct{ ID string } }
	_ = json.Unmarshal([]byte(line), &r)
	return r.Event.ID
}

// sink is an HTTP receiver that can be away.
type sink struct {
	mu     sync.Mutex
	port   string
	server *http.Server
	came   []string
}

func (s *sink) open() error {
	l, err := net.Listen("tcp", "127.0.0.1:"+s.port)
	if err != nil {
		return err
	}
	s.server = &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		lines := bufio.NewScanner(r.Body)
		lines.Buffer(nil, 1<<24)
		for lines.Scan() {
			s.mu.Lock()
			s.came = append(s.came, idIn(lines.Text()))
			s.mu.Unlock()
		}
	})}
	go func() { _ = s.server.Serve(l) }()
	return nil
}

func (s *sink) close() {
	if s.server != nil {
		_ = s.server.Close()
	}
}

func (s *sink) ids() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.came)
}

// events is how many ZITADEL has in these tests.
const events = 60

// newWorld makes one of a configuration.
func newWorld(t *testing.T, program, plugin, name, text string) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "flb") // a path that is short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	store := zitadeltest.NewStore()
	store.Fill(zitadeltest.Synthetic{Events: events, From: time.Now().Add(-time.Hour)})
	server := zitadeltest.NewServer(store, zitadeltest.Options{})
	if err := server.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	s := &sink{port: testkit.FreePort(t)}
	t.Cleanup(func() {
		s.close()
		_ = server.Close()
		os.RemoveAll(dir)
	})
	w := &world{program: program, dir: dir, config: filepath.Join(dir, name), zitadel: server, sink: s, env: []string{"DIR=" + dir}}
	moved := strings.NewReplacer(
		"./build/in_zitadel.so", plugin, "https://zitadel.example.com", server.URL(), "/etc/fluent-bit/zitadel.token", dir+"/token",
		"/var/lib/fluent-bit/", dir+"/", "    Port 19977", "    Port "+s.port, "PORT", s.port,
		"    start        1h\n", "", "    start        now\n", "", "      start: 2026-11-27T14:30:00Z\n", "",
		"    aggregate_types org,instance,project\n", "", "      aggregate_types: org,instance,project\n", "",
		"Grace 2", "Grace 1",
	)
	for file, text := range map[string]string{name: text, "plugins.conf": "[PLUGINS]\n    Path ./build/in_zitadel.so\n", "token": server.Token()} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(moved.Replace(text)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// deliver runs it until all events were read, and counts what arrives.
func (w *world) deliver() (int, error) {
	if err := w.sink.open(); err != nil {
		return 0, err
	}
	if err := w.run(w.read); err != nil {
		return 0, err
	}
	return len(w.delivered()), nil
}

// deliverLater runs it with the output away, and then again with the output there,
// until an event arrives that is younger than all others.
func (w *world) deliverLater() (int, error) {
	if err := w.run(w.read); err != nil {
		return 0, err
	}
	if err := w.sink.open(); err != nil {
		return 0, err
	}
	w.zitadel.Store().Append(zitadeltest.Event{AggregateType: "org", AggregateID: "999", Type: "org.added", CreatedAt: time.Now().Add(-time.Minute)})
	last := func(id string) bool { return strings.Contains(id, "/org/999/") }
	err := w.run(func() bool { return slices.ContainsFunc(w.delivered(), last) })
	return len(slices.DeleteFunc(w.delivered(), last)), err
}

// end is the end of a log.
func end(log string) string { return log[max(0, len(log)-3000):] }
