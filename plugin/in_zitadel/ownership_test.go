package main_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
	"github.com/zitadel-siem/zitadel-siem/plugin/plugintest"
)

// timesVariable is how often Fluent Bit is killed; stops and reloads follow. Without it,
// kills and reloads alone run on an input thread too.
const timesVariable = "OWNERSHIP_TIMES"

// ways are those by which the cursor learns that Fluent Bit has a chunk.
var ways = []way{
	{name: "append's return code", threaded: "off"},
	{name: "delay of 2 s", threaded: "on"}, // commit_delay of testdata; more repeats more
}

type way struct{ name, threaded string }

// TestFluentBit_Ownership is the proof that an acknowledgement is worth what law
// 1 says, and what one gets without: every scenario runs with the return code of
// the host's append, and on an input thread.
func TestFluentBit_Ownership(t *testing.T) {
	t.Parallel()
	times, all := 2, false
	if s := os.Getenv(timesVariable); s != "" {
		all = true
		var err error
		if times, err = strconv.Atoi(s); err != nil || times < 1 {
			t.Fatalf("%s=%q is no number of times", timesVariable, s)
		}
	}
	scenarios := []struct {
		name    string
		times   int
		run     func(s *scene, times int)
		mayLose bool // where nothing is acknowledged
	}{
		{"kill -9", times, (*scene).killed, false},
		{"full disk, then room", max(1, times/10), (*scene).fullDisk, true},
		{"SIGTERM with a stuck output", max(1, times*3/10), (*scene).stoppedWhileStuck, false},
		{"restart with a backlog", max(1, times/10), (*scene).restartedWithBacklog, false},
		{"reload (SIGHUP)", max(1, times*2/5), (*scene).reloaded, false},
		{"kill -9 of two instances", max(1, times/5), (*scene).twoInstances, false},
	}
	rows := make([]string, len(scenarios)*len(ways))
	t.Run("scenarios", func(t *testing.T) {
		for i, sc := range scenarios {
			for j, w := range ways {
				if j > 0 && i%4 != 0 && !all { // the first scenario and the reloads
					continue
				}
				t.Run(sc.name+"/"+w.name, func(t *testing.T) {
					t.Parallel()
					s := newScene(t, w)
					figures := "no figures: it did not run, or not to the end | | | "
					defer func() {
						rows[i*len(ways)+j] = fmt.Sprintf("| %d × %s | %s | %s |\n", sc.times, sc.name, w.name, figures)
					}()
					sc.run(s, sc.times)
					figures = fmt.Sprintf("%d | %d | %d | %d", s.events, s.lost, s.ours, s.theirs)
					s.judge(sc.mayLose)
				})
			}
		}
	})
	t.Log("\n| what happens | the cursor follows | events | lost | repeated by us | repeated by Fluent Bit |\n" +
		"|---|---|---|---|---|---|\n" + strings.Join(rows, ""))
}

// scene is one run of a scenario: a ZITADEL in use, and what came out of it.
type scene struct {
	*testing.T
	way   way
	store *zitadeltest.Store
	srv   *zitadeltest.Server
	kills []kill

	events, lost, strange int
	ours, theirs          int // repeats: read again, and sent again as they were
}

// kill is a kill -9, and how many events it may repeat: one cursor step of each
// input.
type kill struct {
	at      time.Time
	excused map[source]int
}

// source is one input: its state, its label and where its records come out.
type source struct{ state, instance, file string }

var (
	one = source{"one.state", "lab", "records"}
	two = source{"two.state", "second", "records-two"}
)

func newScene(t *testing.T, w way) *scene {
	store := zitadeltest.NewStore()
	return &scene{T: t, way: w, store: store, srv: serve(t, store)}
}

func (s *scene) fluentBit(config string, env ...string) *fluentBit {
	s.Helper()
	return newFluentBit(s.T, config, s.srv, append(env, "THREADED="+s.way.threaded)...)
}

// flow lets events happen until stop is called.
func (s *scene) flow() (stop func()) {
	ctx, cancel := context.WithCancel(s.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		zitadeltest.NewWriter(s.store, 1, nil).Run(ctx, 200)
	}()
	stop = func() { cancel(); <-done }
	s.Cleanup(stop)
	return stop
}

// moved waits until the cursor has moved.
func (s *scene) moved(f *fluentBit, of source) {
	s.Helper()
	path := filepath.Join(f.Dir, of.state)
	before := committed(s.T, path)
	f.Until("the cursor to move", func() bool { return committed(s.T, path) > before })
}

// moment is right after the cursor has moved and, every other time, anywhere in
// the second up to Fluent Bit's next call.
func (s *scene) moment(n int, f *fluentBit, of source) {
	s.Helper()
	s.moved(f, of)
	if n%2 == 1 {
		time.Sleep(rand.N(time.Second)) // the draw of a moment; nothing is awaited
	}
}

// kill notes what it may repeat. If a step was taken and the cursor not moved,
// that is the first of those that are prepared.
func (s *scene) kill(f *fluentBit, sources ...source) {
	s.Helper()
	f.Kill()
	k := kill{time.Now(), map[source]int{}}
	for _, of := range sources {
		path := filepath.Join(f.Dir, of.state)
		at, next := committed(s.T, path), uint64(0)
		for _, file := range pendingFiles(s.T, path) {
			// One that was being written when the kill came is none.
			if p, err := cursor.Read(file); err == nil && (next == 0 || p.Events < next) {
				next = p.Events
			}
		}
		k.excused[of] = int(max(next, at) - at)
	}
	s.kills = append(s.kills, k)
}

func (s *scene) killed(times int) {
	f := s.fluentBit("fluent-bit.yaml")
	stop := s.flow()
	for n := range times {
		s.moment(n, f, one)
		s.kill(f, one)
		f.Start()
	}
	stop()
	s.end(f, one, filepath.Join(f.Dir, "storage"), f)
	f.Stop()
}

func (s *scene) twoInstances(times int) {
	f := s.fluentBit("two-instances.yaml")
	stop := s.flow()
	for n := range times {
		s.moved(f, two)
		s.moment(n, f, one)
		s.kill(f, one, two)
		f.Start()
	}
	stop()
	for _, of := range []source{one, two} {
		s.end(f, of, filepath.Join(f.Dir, "storage"), f)
	}
	f.Stop()
}

func (s *scene) reloaded(times int) {
	f := s.fluentBit("fluent-bit.yaml")
	stop := s.flow()
	for range times {
		s.moved(f, one)
		f.reload(func() {})
	}
	stop()
	s.end(f, one, filepath.Join(f.Dir, "storage"), f)
	f.Stop()
}

// receiver starts what takes the sender's records at the end of a link.
func (s *scene) receiver(l *link) *fluentBit {
	s.Helper()
	f := &fluentBit{plugintest.StartFluentBit(s.T, "receiver.yaml", []string{"SOCKET=" + l.socket}), s.T}
	f.Until("the receiver to listen", func() bool { return strings.Contains(f.Log.String(), "listening on") })
	return f
}

func (s *scene) sender(l *link, storage string) *fluentBit {
	s.Helper()
	return s.fluentBit("sender.yaml", "PORT="+l.port(), "STORAGE="+storage)
}

// stop stops and starts it while its storage holds what the output could not
// send.
func (s *scene) stop(times int, sender *fluentBit, storage string) {
	s.Helper()
	for n := range times {
		s.moment(n, sender, one)
		sender.Stop()
		if !stored(s.T, storage) {
			s.Error("nothing was kept back: the test shows nothing")
		}
		sender.Start()
	}
}

func (s *scene) stoppedWhileStuck(times int) {
	storage, l := s.TempDir(), newLink(s.T)
	receiver := s.receiver(l)
	sender := s.sender(l, storage)
	stop := s.flow()
	s.moved(sender, one)
	l.stick()
	s.stop(times, sender, storage)
	stop()
	l.unstick()
	s.end(sender, one, storage, receiver)
	sender.Stop()
	receiver.Stop()
}

func (s *scene) restartedWithBacklog(times int) {
	storage, l := s.TempDir(), newLink(s.T)
	sender := s.sender(l, storage)
	stop := s.flow()
	s.stop(times, sender, storage)
	s.moved(sender, one)
	stop()
	receiver := s.receiver(l)
	s.end(sender, one, storage, receiver)
	sender.Stop()
	receiver.Stop()
}

// diskFull is what Fluent Bit says, twice for a write, when a chunk cannot grow.
const diskFull = "No space left"

func (s *scene) fullDisk(times int) {
	disk, l := smallDisk(s.T), newLink(s.T)
	receiver := s.receiver(l)
	sender := s.sender(l, disk)
	stop := s.flow()
	w := zitadeltest.NewWriter(s.store, 2, nil)
	for range times {
		l.stick()
		refused := strings.Count(sender.Log.String(), diskFull)
		w.Append(10_000)
		sender.Until("three refusals", func() bool {
			return strings.Count(sender.Log.String(), diskFull) >= refused+2*3
		})
		l.unstick()
		s.moved(sender, one)
	}
	stop()
	s.end(sender, one, disk, receiver)
	sender.Stop()
	receiver.Stop()
}

// smallDisk mounts one of 4 MB, which holds two chunks. Where that is not
// allowed the test is skipped.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("no small disk can be mounted here (%v): NOTHING was tested with a full disk", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}
