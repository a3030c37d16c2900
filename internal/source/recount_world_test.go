package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/detect"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/pipe"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// epoch is where the clock of a world starts. That of testing/synctest starts in 2000, before any
// ZITADEL.
var epoch = time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)

// world is a ZITADEL, a sink, and sources that hold its state one after the other, on one clock.
type world struct {
	t       *testing.T
	rng     *rand.Rand
	srv     *zitadeltest.Server
	rules   *detect.Set
	options map[string]string // further settings of the next source
	state   cursor.State
	unacked float64 // how likely a step of a source that ends is left uncommitted

	came   map[string]int           // records that the sink has, by id
	alerts map[string]*detect.Alert // of them
	repeat int                      // alerts that came again
	log    testkit.Text
}

// inWorld calls f in a bubble of fake time.
func inWorld(t *testing.T, seed uint64, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(epoch))
		w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 1)), rules: builtIn(t), came: map[string]int{}, alerts: map[string]*detect.Alert{}}
		store := zitadeltest.NewStore()
		store.SetClock(time.Now)
		w.srv = zitadeltest.NewServer(store, zitadeltest.Options{Now: time.Now})
		f(w)
	})
}

// direct is a client without a network.
type direct struct{ *zitadeltest.Direct }

func (direct) Close() error { return nil }

// hold is the state of a world while a source has it.
type hold struct{ w *world }

func (h hold) Prepare(s cursor.State) (cursor.Pending, error) { return commit{h.w, s}, nil }
func (h hold) Done() <-chan struct{}                          { return nil }
func (h hold) Close() error                                   { return nil }

type commit struct {
	w *world
	s cursor.State
}

func (c commit) Commit() error {
	b, err := cursor.Encode(c.s)
	if err == nil {
		c.w.state, err = cursor.Decode(b)
	}
	return err
}

// open opens the source for its next holder.
func (w *world) open() *Source {
	w.t.Helper()
	values := map[string]string{"url": "http://127.0.0.1:1", "token": "t", "instance": "lab", "format": "ecs", "tier": "noise", "poll_interval": "2m", "settle": "0s", "page_size": "10"}
	for k, v := range w.options {
		values[k] = v
	}
	settings, _, err := config.Input.ParseMap(values, config.ParseOptions{Shared: values["state_path"] == ""})
	if err != nil {
		w.t.Fatal(err)
	}
	f, err := format.Open(settings.Format)
	if err != nil {
		w.t.Fatal(err)
	}
	o := Options{Log: slog.New(slog.NewTextHandler(&w.log, nil)), Format: f, Detect: &Detection{Rules: w.rules}}
	if settings.StatePath == "" {
		o.Held, o.State = hold{w}, w.state
	}
	s, err := Open(w.t.Context(), settings, o)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := s.client.Close(); err != nil {
		w.t.Fatal(err)
	}
	s.client = direct{w.srv.Direct()}
	s.endWait() // no names are learned
	return s
}

// holds lets a holder read until a moment. The sink takes what it reads; some of the last steps are
// not committed.
func (w *world) holds(until time.Time) {
	w.t.Helper()
	s := w.open()
	ctx, stop := context.WithCancel(w.t.Context()) // as SIGTERM or a lost hold does
	defer time.AfterFunc(time.Until(until), stop).Stop()
	defer stop()
	encode := encoder(s.Settings, s.opts.Format.Lines())
	var owed []func()
	err := s.read(ctx, func(_ context.Context, b pipe.Batch) error {
		var taken []record.Record
		for _, r := range b.Records {
			encode(nil, r)
			taken = append(append(taken, r), s.detector.derived(r)...)
		}
		pending, err := b.State.Prepare()
		if err != nil {
			return err
		}
		owed = append(owed, func() {
			w.take(taken)
			if w.rng.Float64() >= w.unacked || ctx.Err() == nil {
				if err := pending.Commit(); err != nil {
					w.t.Error(err)
				}
			}
		})
		for len(owed) > 3 || len(owed) > 0 && w.unacked == 0 {
			owed[0]()
			owed = owed[1:]
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		w.t.Fatal(err)
	}
	// A crash: the sink has some of the last steps, and the state has less.
	for _, step := range owed[:w.rng.IntN(len(owed)+1)] {
		step()
	}
	if err := s.Close(); err != nil {
		w.t.Error(err)
	}
}

// holdsFor is holds for some time.
func (w *world) holdsFor(d time.Duration) { w.t.Helper(); w.holds(time.Now().Add(d)) }

// fail adds wrong passwords of a user, a second apart.
func (w *world) fail(n int, user string) {
	for range n {
		w.srv.Store().Append(event(time.Now(), "user", user, "user.human.password.check.failed", "", "203.0.113.1"))
		time.Sleep(time.Second)
	}
}

// want compares the names of the alerts.
func (w *world) want(names ...string) {
	w.t.Helper()
	var got []string
	for _, a := range w.alerts {
		got = append(got, a.Rule.Name)
	}
	slices.Sort(got)
	if !slices.Equal(got, names) {
		w.t.Errorf("alerts %q, want %q\n%s", got, names, &w.log)
	}
}

// take is the sink. An alert comes with or after its events.
func (w *world) take(list []record.Record) {
	for _, r := range list {
		a, ok := r.(*detect.Alert)
		if !ok {
			w.came[r.ID()]++
			continue
		}
		if w.alerts[a.ID()] != nil {
			w.repeat++
		}
		w.alerts[a.ID()] = a
		for _, id := range a.Events {
			if w.came[id] == 0 {
				w.t.Errorf("%s came without its event %s", a.Rule.Name, id)
			}
		}
	}
}

// ids are those of the alerts, with their rules.
func (w *world) ids() (ids []string) {
	for id, a := range w.alerts {
		ids = append(ids, a.Rule.Name+" "+id)
	}
	slices.Sort(ids)
	return ids
}

// write adds the events of a log to the store when their time has come.
func (w *world) write(log []zitadeltest.Event) {
	go func() {
		for len(log) > 0 {
			n := slices.IndexFunc(log, func(e zitadeltest.Event) bool { return e.CreatedAt.After(log[0].CreatedAt) })
			if n < 0 {
				n = len(log)
			}
			time.Sleep(time.Until(log[0].CreatedAt))
			w.srv.Store().Append(log[:n]...)
			log = log[n:]
		}
	}()
}

// randomLog is a log of some hours with attacks that the built-in rules find, and that nearly
// succeed. Each is of other users and addresses, and lasts no longer than the timespan of its rule.
func randomLog(rng *rand.Rand, hours int) (log []zitadeltest.Event) {
	length := time.Duration(hours) * time.Hour
	for i := range 20 * hours {
		attack(rng, i, epoch.Add(rand64(rng, length)), &log)
	}
	for range 100 * hours { // what no correlation counts
		log = append(log, event(epoch.Add(rand64(rng, length)), "user", fmt.Sprint("quiet", rng.IntN(50)), "user.token.added", "", "198.51.100.9"))
	}
	slices.SortStableFunc(log, func(a, b zitadeltest.Event) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.AggregateID, b.AggregateID))
	})
	return log
}

func rand64(rng *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(rng.Int64N(int64(most))).Truncate(time.Microsecond)
}

func event(at time.Time, kind, id, typ, editor, ip string, more ...string) zitadeltest.Event {
	e := zitadeltest.Event{AggregateType: kind, AggregateID: id, ResourceOwner: "org", Type: typ, EditorID: editor, EditorName: editor, CreatedAt: at, Payload: &structpb.Struct{Fields: map[string]*structpb.Value{}}}
	if ip != "" {
		e.Payload.Fields["remoteIP"] = structpb.NewStringValue(ip)
	}
	for i := 0; i < len(more); i += 2 {
		e.Payload.Fields[more[i]] = structpb.NewStringValue(more[i+1])
	}
	return e
}

// attack number i begins at a time.
func attack(rng *rand.Rand, i int, at time.Time, log *[]zitadeltest.Event) {
	user, ip := fmt.Sprint("user", i), fmt.Sprintf("203.0.%d.%d", i/250, i%250)
	// spread adds events whose dates are spread over some time.
	spread := func(n int, within time.Duration, make func(j int, at time.Time) zitadeltest.Event) {
		dates := []time.Time{}
		for range n {
			dates = append(dates, at.Add(rand64(rng, within)))
		}
		slices.SortFunc(dates, time.Time.Compare)
		for j, date := range dates {
			*log = append(*log, make(j, date))
		}
		at = dates[len(dates)-1].Add(time.Microsecond)
	}
	one := func(kind, typ, editor string, more ...string) func(int, time.Time) zitadeltest.Event {
		return func(_ int, at time.Time) zitadeltest.Event { return event(at, kind, user, typ, editor, ip, more...) }
	}
	switch rng.IntN(8) {
	case 0: // a password is guessed, and perhaps found
		spread(7+rng.IntN(20), 9*time.Minute, one("user", "user.human.password.check.failed", ""))
		if rng.IntN(2) == 0 {
			spread(1, time.Minute, one("user", "user.human.password.check.succeeded", ""))
		}
	case 1: // one password for many users
		spread(8+rng.IntN(10), 29*time.Minute, func(j int, at time.Time) zitadeltest.Event {
			e := event(at, "user", fmt.Sprint(user, "-", j), "user.human.password.check.failed", "", ip)
			e.ResourceOwner = fmt.Sprint("org", j%4)
			return e
		})
	case 2:
		spread(1, time.Minute, one("user", "user.human.email.changed", user))
		spread(1, 50*time.Minute, one("user", "user.human.password.code.added", user))
	case 3:
		spread(1, time.Minute, one("user", "user.machine.added", "admin"))
		spread(1, 3*time.Hour, func(_ int, at time.Time) zitadeltest.Event {
			e := event(at, "org", fmt.Sprint("org", i), "org.member.added", "admin", "", "userId", user)
			e.Payload.Fields["roles"] = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{structpb.NewStringValue("ORG_OWNER")}})
			return e
		})
	case 4:
		spread(8+rng.IntN(8), 55*time.Minute, func(j int, at time.Time) zitadeltest.Event {
			return event(at, "user", fmt.Sprint(user, "-", j), "user.human.password.changed", user, "")
		})
	case 5:
		spread(1, time.Minute, one("user", "user.human.mfa.otp.removed", user))
		spread(1, 50*time.Minute, one("user", "user.human.password.check.succeeded", ""))
	case 6: // one user from many addresses
		spread(3+rng.IntN(5), 28*time.Minute, func(j int, at time.Time) zitadeltest.Event {
			return event(at, "user", user, "user.human.password.check.succeeded", "", fmt.Sprintf("192.0.2.%d", j))
		})
	case 7:
		spread(3+rng.IntN(6), 9*time.Minute, one("user", "user.human.mfa.otp.check.failed", ""))
	}
}
