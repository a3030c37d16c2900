package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"
	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// past is how many users the log has before reading begins.
const past = 400

// pageSize makes the past of 8 pages.
const pageSize = 50

func named(i int, at time.Time) zitadeltest.Event {
	return zitadeltest.Event{
		AggregateType: "user", AggregateID: strconv.Itoa(i), ResourceOwner: "org", Sequence: 1, Type: "user.human.added", CreatedAt: at,
		Payload: &structpb.Struct{Fields: map[string]*structpb.Value{"userName": structpb.NewStringValue(nameOf(i))}},
	}
}

func nameOf(i int) string { return "name-" + strconv.Itoa(i) }

// scene is a server, and a source that reads it from now on.
type scene struct {
	t    *testing.T
	srv  *zitadeltest.Server
	path string // of the state

	pages atomic.Int64 // of the users that learn asked for

	users  atomic.Int64 // in the log
	source *Source
	format *format.Format
	out    bytes.Buffer // what came out
	mu     sync.Mutex
	log    bytes.Buffer
}

func newScene(t *testing.T, page func(c *scene, ctx context.Context, n int64) error) *scene {
	t.Helper()
	c := &scene{t: t, srv: zitadeltest.NewServer(zitadeltest.NewStore(), zitadeltest.Options{}), path: filepath.Join(t.TempDir(), "state")}
	began := time.Now().Add(-time.Hour)
	for i := range past {
		c.user(began.Add(time.Duration(i) * time.Second))
	}
	c.srv.SetFaults(zitadeltest.Faults{BeforeQuery: func(ctx context.Context, _ string, req proto.Message) error {
		if list, ok := req.(*adminpb.ListEventsRequest); ok && slices.Contains(list.GetEventTypes(), "user.human.added") {
			// Those of the years without events, and probes, are not counted.
			if list.GetLimit() == pageSize && !list.GetRange().GetSince().AsTime().Before(began.Add(-time.Minute)) {
				return page(c, ctx, c.pages.Add(1))
			}
		}
		return nil
	}})
	if err := c.srv.Start("127.0.0.1:" + testkit.FreePort(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.srv.Close() })
	return c
}

// user adds a user to the log, and returns it.
func (c *scene) user(at time.Time) int {
	i := int(c.users.Add(1)) - 1
	c.srv.Store().Append(named(i, at))
	return i
}

func (c *scene) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.log.Write(b)
}

func (c *scene) said() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.log.String()
}

// start runs a source until stop is called.
func (c *scene) start() (stop func()) {
	c.t.Helper()
	settings, _, err := config.Input.ParseMap(map[string]string{
		"url": c.srv.URL(), "token": c.srv.Token(), "instance": "lab", "state_path": c.path, "format": "ecs", "tier": "noise", "start": "now",
		"settle": "0s", "overlap": "1s", "poll_interval": "100ms", "page_size": strconv.Itoa(pageSize),
	}, config.ParseOptions{NeedState: true})
	if err != nil {
		c.t.Fatal(err)
	}
	if c.format, err = format.Open(settings.Format); err != nil {
		c.t.Fatal(err)
	}
	s, err := Open(c.t.Context(), settings, Options{Log: slog.New(slog.NewTextHandler(c, nil)), Format: c.format, Encode: c.format.Lines()})
	if err != nil {
		c.t.Fatal(err)
	}
	c.source = s
	s.learnProgress = 0 // tells and marks each batch
	ctx, cancel := context.WithCancel(c.t.Context())
	done := make(chan error, 1)
	go func() {
		done <- s.Run(ctx, ctx, context.Background(), func(ctx context.Context) error { <-ctx.Done(); return nil })
	}()
	return func() {
		c.t.Helper()
		cancel()
		if err := errors.Join(<-done, s.Close()); err != nil {
			c.t.Error(err)
		}
	}
}

func (c *scene) drain() {
	c.source.Pipe.Drain(func(_ string, b []byte, _ int) bool { c.out.Write(b); return true })
}

// until takes what comes out until done.
func (c *scene) until(what string, done func() bool) {
	c.t.Helper()
	testkit.Until(c.t, what, func() bool { c.drain(); return done() })
}

// begins waits until reading has begun, beside which only the last part is learned again.
func (c *scene) begins() {
	c.t.Helper()
	c.until("the first pass", func() bool {
		_, err := cursor.Read(c.path)
		return err == nil && !c.source.Reader.ReadUpTo().IsZero()
	})
}

// learned waits until learn is through, and asks for the name of every user.
func (c *scene) learned() {
	c.t.Helper()
	c.until("the end of learn", func() bool {
		m := readMark(c.path + markSuffix)
		return len(m.Done) > 0 && len(m.List) == 0 && !m.pending()
	})
	encode := c.format.Lines()
	for i := range int(c.users.Load()) {
		locked := person(strconv.Itoa(i), "")
		locked.Type, locked.Payload, locked.Sequence = "user.locked", nil, 2
		if got := gjson.GetBytes(encode(nil, locked), "user.target.name").String(); got != nameOf(i) {
			c.t.Errorf("the name of user %d is %q", i, got)
		}
	}
	if n := c.source.names.ToLearn.Load(); n != 0 {
		c.t.Errorf("names_to_learn is %d at the end", n)
	}
}

// cameOut counts how often a user's event came out.
func (c *scene) cameOut(i int) int {
	return bytes.Count(c.out.Bytes(), []byte(`"id":"lab/user/`+strconv.Itoa(i)+`/1"`))
}

// liveOnce writes events of users and wants each of them to come out once, and nothing else.
func (c *scene) liveOnce() {
	c.t.Helper()
	before := int(c.users.Load())
	for range 5 {
		c.user(time.Now())
	}
	c.until("the live events", func() bool { return c.cameOut(before+4) > 0 })
	for i := range before + 5 {
		if n, want := c.cameOut(i), i/before; n != want { // 0 for those before
			c.t.Errorf("user %d came out %d times, want %d", i, n, want)
		}
	}
}

// Whatever the server does while learn reads the past, every name is known in the end: of
// users of the past, and of those that are added while learn runs. The log shows the
// progress. Events of the past do not come out, and those after the beginning do, once.
func TestLearn_OfAServerInTrouble(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(c *scene, ctx context.Context, n int64) error{
		"fails": func(_ *scene, _ context.Context, n int64) error {
			return map[int64]error{4: errors.New("no database")}[n]
		},
		"throttles": func(c *scene, _ context.Context, n int64) error {
			// The first request after page 4 passes, and the next one two seconds later.
			c.srv.Update(func(f *zitadeltest.Faults) { f.RateLimit = map[int64]float64{4: 0.5, 5: 0.5}[n] })
			return nil
		},
		"is slow": func(c *scene, _ context.Context, n int64) error {
			c.srv.Update(func(f *zitadeltest.Faults) { f.Latency = 20 * time.Millisecond })
			return nil
		},
		"cuts answers": func(c *scene, _ context.Context, n int64) error {
			if n == 4 {
				c.srv.Update(func(f *zitadeltest.Faults) { f.CutAnswers, f.CutAfter = 1, 500 })
			}
			return nil
		},
		"restarts": func(c *scene, ctx context.Context, n int64) error {
			if n == 4 {
				go func() {
					if err := c.srv.Restart(); err != nil {
						c.t.Error(err)
					}
				}()
				<-ctx.Done()
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newScene(t, func(c *scene, ctx context.Context, n int64) error {
				if n < 10 {
					c.user(time.Now())
				}
				return trouble(c, ctx, n)
			})
			stop := c.start()
			defer stop()
			c.begins()
			if n := c.source.names.Learned.Load(); n < past || n > past+10 {
				t.Errorf("%d events were learned", n)
			}
			c.liveOnce()
			c.learned()
			said := c.said()
			if strings.Count(said, `"names of the past are learned" event_types_left=`) < past/pageSize || !strings.Contains(said, "names of the past are known") {
				t.Errorf("the progress is not shown: %s", said)
			}
			if name != "is slow" && !strings.Contains(said, "zitadel does not answer, asking again") {
				t.Error("there was no trouble")
			}
			if c.source.Pipe.Stats.Restarts.Load() > 0 {
				t.Error("reading was restarted")
			}
		})
	}
}

// A restart while learn runs goes on with the page at which it stopped, though reading had
// not begun. A kill leaves the files as they were; a stop closes them.
func TestLearn_GoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	for _, killed := range []bool{false, true} {
		t.Run("killed "+strconv.FormatBool(killed), func(t *testing.T) {
			t.Parallel()
			const stopAt = 6
			there := make(chan struct{})
			c := newScene(t, func(c *scene, ctx context.Context, n int64) error {
				if n == stopAt {
					close(there)
					<-ctx.Done()
				}
				return nil
			})
			stop := c.start()
			<-there
			// What the pages before have taught: this one is asked for meanwhile.
			c.until("the pages before", func() bool { return c.source.names.Learned.Load() >= (stopAt-4)*pageSize })
			if killed {
				dir := asKilled(t, filepath.Dir(c.path))
				stop()
				c.path = filepath.Join(dir, filepath.Base(c.path))
			} else {
				stop()
			}
			first := c.source.names.Learned.Load()
			if m := readMark(c.path + markSuffix); !slices.Contains(m.List, "user.human.added") || m.UpTo.IsZero() || !m.pending() {
				t.Fatalf("%+v", m)
			}
			between := c.user(time.Now())
			stop = c.start()
			defer stop()
			c.begins()
			c.liveOnce()
			c.learned()
			second := c.source.names.Learned.Load()
			if first+second > past+2*pageSize+10 || first < 100 || second < 100 {
				t.Errorf("%d events were learned, and then %d; there are %d", first, second, past)
			}
			if n := c.cameOut(between); n != 0 {
				t.Errorf("an event from before the beginning came out %d times", n)
			}
		})
	}
}

// asKilled copies the files of a program that runs, as a kill would leave them. The mark of
// learn is copied before the names: on the disk, too, the names are never older than the mark.
func asKilled(t *testing.T, from string) string {
	t.Helper()
	dir := t.TempDir()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(entries) // NAME.learned comes before NAME
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(from, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // a draft that has become the file itself
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, e.Name()), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// An event that becomes visible after learn has read its time is learned too, if it is not
// later than overlap. It was created before reading began, so that it does not come out.
func TestLearn_FindsLateEvents(t *testing.T) {
	t.Parallel()
	var late *zitadeltest.Tx
	c := newScene(t, func(c *scene, _ context.Context, n int64) error {
		if n == 1 {
			late = c.srv.Store().Begin(time.Now().Add(-100 * time.Millisecond))
		}
		return nil
	})
	stop := c.start()
	defer stop()
	c.begins()
	i := int(c.users.Add(1)) - 1
	late.Push(named(i, time.Time{}))
	late.Commit()
	c.liveOnce()
	c.learned()
}

// The mark may have types that this ZITADEL does not know, such as all of them where reading
// began at the beginning. What is read a second time is read by type even so.
func TestLearn_ReadsTheLastPartByTypeAlsoIfATypeIsUnknown(t *testing.T) {
	t.Parallel()
	c := newScene(t, func(*scene, context.Context, int64) error { return nil })
	stop := c.start()
	c.begins()
	c.learned()
	stop()
	m := readMark(c.path + markSuffix)
	m.Done = append([]string{"no.such.type"}, m.Done...)
	m.AgainFrom, m.AgainTo = time.Now().Add(-30*time.Minute), time.Now()
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.path+markSuffix, b, 0o600); err != nil {
		t.Fatal(err)
	}
	var second, all atomic.Int64
	c.srv.SetFaults(zitadeltest.Faults{BeforeQuery: func(_ context.Context, _ string, req proto.Message) error {
		list, ok := req.(*adminpb.ListEventsRequest)
		if since := list.GetRange().GetSince(); ok && since != nil && since.AsTime().Before(time.Now().Add(-time.Minute)) && list.GetLimit() == pageSize {
			if second.Add(1); len(list.GetEventTypes()) == 0 {
				all.Add(1)
			}
		}
		return nil
	}})
	stop = c.start()
	defer stop()
	c.learned()
	if second.Load() == 0 || all.Load() > 0 {
		t.Errorf("%d pages were asked for a second time, %d of all types", second.Load(), all.Load())
	}
}
