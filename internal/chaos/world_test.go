package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// world is one run: a server, its readers, and those who harm them.
type world struct {
	t     *testing.T
	dir   string
	seed  uint64
	token string
	lasts time.Duration // the harm, as asked for

	harmed time.Duration // how long it lasted
	rand   *rand.Rand    // of the set-up

	readers []*reader

	mu         sync.Mutex
	server     *process
	orders     io.WriteCloser
	order      serverOrder
	address    string
	generation uint64
	quiet      chan struct{} // closed when the server has written its last event

	serverKills, serverFaults, serverJumps int
	resets, cuts, stalls, farFaults        int
}

// perSecond is about how many events a second are written.
const perSecond = 150

func newWorld(t *testing.T, dir string, seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 0))
	return &world{t: t, dir: dir, seed: seed, rand: r, token: fmt.Sprintf("chaos-token-%016x%016x", r.Uint64(), r.Uint64()), quiet: make(chan struct{})}
}

// long says that there is time for what takes some.
func (w *world) long() bool { return w.lasts >= time.Minute }

func (w *world) logPath() string { return filepath.Join(w.dir, "committed.jsonl") }

func (w *world) transport() string { return []string{"grpc", "grpc", "rest"}[w.rand.IntN(3)] }

func (w *world) pageSize() int { return []int{100, 300, 1000}[w.rand.IntN(3)] }

// writeRecorded begins the log with what a real ZITADEL once wrote.
func (w *world) writeRecorded() error {
	log, err := openTxLog(w.logPath(), zitadeltest.NewStore())
	if err != nil {
		return err
	}
	defer log.file.Close()
	events := zitadeltest.RecordedEvents(time.Now().Add(-time.Minute))
	for first := 0; first < len(events); {
		end := first + 1
		for end < len(events) && events[end].CreatedAt.Equal(events[first].CreatedAt) {
			end++
		}
		if _, err := log.commit(events[first].CreatedAt, events[first:end], 100*365*24*time.Hour, func([]zitadeltest.Event) {}); err != nil {
			return err
		}
		first = end
	}
	return nil
}

// startServer starts the server's process and waits until it listens. Every
// start goes on with what is in the log.
func (w *world) startServer() error {
	w.mu.Lock()
	w.generation++
	config, err := json.Marshal(serverConfig{Log: w.logPath(), Token: w.token, Seed: w.seed, Generation: w.generation, PerSecond: perSecond})
	w.mu.Unlock()
	if err != nil {
		return err
	}
	cmd := self("server", serverConfigVariable+"="+string(config))
	orders, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	said, out, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stdout = out
	p, err := startProcess("the server", cmd, filepath.Join(w.dir, "server.log"))
	out.Close()
	if err != nil {
		said.Close()
		return err
	}
	lines := bufio.NewScanner(said)
	if !lines.Scan() {
		<-p.done
		return fmt.Errorf("the server did not start: %w", p.err)
	}
	w.mu.Lock()
	w.server, w.orders, w.address = p, orders, strings.TrimPrefix(lines.Text(), "http://")
	w.mu.Unlock()
	go func() {
		defer said.Close()
		for lines.Scan() {
			if lines.Text() == "quiet" {
				close(w.quiet)
			}
		}
	}()
	return w.command(func(*serverOrder) {}) // what holds goes on to hold
}

// serverAddr is where the server listens now.
func (w *world) serverAddr() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.address
}

// command changes what the server is told.
func (w *world) command(change func(*serverOrder)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.order)
	return json.NewEncoder(w.orders).Encode(w.order)
}

// killServer is kill -9.
func (w *world) killServer() error {
	w.mu.Lock()
	p := w.server
	w.mu.Unlock()
	if !p.kill() {
		return fmt.Errorf("the server had ended by itself: %w", p.err)
	}
	w.serverKills++
	return nil
}

// addReader makes a reader with a directory and a link to the server.
func (w *world) addReader(name string) (*reader, error) {
	r := &reader{name: name, dir: filepath.Join(w.dir, strings.ReplaceAll(name, " ", "-"))}
	for _, dir := range []string{r.dir, filepath.Dir(r.state()), r.storage()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	var err error
	r.up, err = newLink(w.rand.Uint64(), w.serverAddr)
	if err != nil {
		return nil, err
	}
	w.t.Cleanup(r.up.close)
	w.readers = append(w.readers, r)
	return r, nil
}

// addFarEnd gives a reader a far end that speaks the forward protocol; for
// doubtful see [farEnd].
func (w *world) addFarEnd(r *reader, doubtful int) error {
	far, err := newFarEnd(doubtful)
	if err != nil {
		return err
	}
	w.t.Cleanup(far.close)
	r.far, r.tally = far, far.tally
	r.down, err = newLink(w.rand.Uint64(), far.addr)
	if err == nil {
		w.t.Cleanup(r.down.close)
	}
	return err
}

// addDisks puts a reader's state and storage on disks that can be filled.
func (w *world) addDisks(r *reader) error {
	for _, d := range []struct {
		disk **disk
		dir  string
		size int
	}{{&r.stateDisk, filepath.Dir(r.state()), 4}, {&r.storageDisk, r.storage(), 16}} {
		mounted, err := mountDisk(d.dir, d.size)
		if err != nil {
			return err
		}
		*d.disk = mounted
		w.t.Cleanup(func() { _ = mounted.unmount() })
	}
	return nil
}

// pause waits, or returns the error of a run that has ended.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// await asks until ok, or for at most d. It reports whether ok was.
func await(ctx context.Context, d time.Duration, ok func() bool) bool {
	for end := time.Now().Add(d); !ok(); {
		if time.Now().After(end) || pause(ctx, 20*time.Millisecond) != nil {
			return false
		}
	}
	return true
}

var errOver = errors.New("the time is over")
