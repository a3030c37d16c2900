package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/detect"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/pipe"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// TestLaw2_AlertsAreThoseOfOneHolder: whenever a source changes hands, also while the sink has
// steps that are not committed, the alerts are those that one holder would have given. Each comes
// with its events. Only alerts of events after the watermark come again, with the same id.
func TestLaw2_AlertsAreThoseOfOneHolder(t *testing.T) {
	const hours = 4
	seeds := uint64(4)
	if testkit.Race {
		seeds = 1 // the goroutines of each are the same
	}
	rules, again := map[string]int{}, 0
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			var want []string
			inWorld(t, seed, func(w *world) {
				w.write(randomLog(w.rng, hours))
				w.holds(epoch.Add((hours + 4) * time.Hour))
				want = w.ids()
			})
			inWorld(t, seed, func(w *world) {
				w.write(randomLog(w.rng, hours))
				w.unacked = 0.5
				at := epoch
				for range 1 + w.rng.IntN(8) {
					at = at.Add(rand64(w.rng, 80*time.Minute))
					w.holds(at)
					if w.rng.IntN(2) == 0 { // what nobody reads meanwhile comes in many steps
						gap := rand64(w.rng, 20*time.Minute)
						time.Sleep(gap)
						at = at.Add(gap)
					}
				}
				w.unacked = 0
				w.holds(epoch.Add((hours + 4) * time.Hour))
				if got := w.ids(); !slices.Equal(got, want) {
					for _, id := range want {
						if !slices.Contains(got, id) {
							t.Errorf("lost: %s", id)
						}
					}
					for _, id := range got {
						if !slices.Contains(want, id) {
							t.Errorf("invented: %s", id)
						}
					}
				}
				for _, id := range want {
					name, _, _ := strings.Cut(id, " ")
					rules[name]++
				}
				again += w.repeat
				if s := w.log.String(); strings.Contains(s, "too low") || strings.Contains(s, "level=ERROR") {
					t.Error(s)
				}
			})
		})
	}
	if again == 0 {
		t.Error("no alert came again: no holder ended before a commit")
	}
	for _, name := range []string{"brute_force_user", "success_after_brute_force", "password_spray", "credential_stuffing", "email_changed_then_password_reset", "service_user_made_owner", "passwords_of_others_set", "mfa_removed_then_login", "many_addresses", "second_factor_guessing"} {
		if rules[name] < 3 && !testkit.Race {
			t.Errorf("%s gave %d alerts: the logs test nothing", name, rules[name])
		}
	}
}

// half of an attack, which one holder reads.
const half = 5

// spanned is a world in which a holder has read half of an attack, and the other half is written.
func spanned(t *testing.T, f func(w *world)) {
	t.Helper()
	inWorld(t, 1, func(w *world) {
		w.options = map[string]string{"poll_interval": "5s"}
		w.fail(half, "u")
		w.holdsFor(time.Minute)
		w.want()
		w.fail(half, "u")
		f(w)
	})
}

func TestRecount_AnAttackThatSpansTheChangeIsSeen(t *testing.T) {
	spanned(t, func(w *world) {
		w.holdsFor(time.Minute)
		w.want("brute_force_user")
	})
}

// TestRecount_WhatBecomesVisibleLateCountsOnce: the event is older than others that a holder has
// read, and completes what they began.
func TestRecount_WhatBecomesVisibleLateCountsOnce(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.options = map[string]string{"poll_interval": "1s", "start": "now"}
		go func() {
			time.Sleep(time.Millisecond)
			w.fail(half, "u")
			late := event(time.Now(), "user", "u", "user.human.password.check.failed", "", "203.0.113.1")
			late.VisibleFrom = time.Now().Add(6 * time.Second)
			w.srv.Store().Append(late)
			time.Sleep(time.Millisecond)
			w.fail(4, "u")
		}()
		w.holdsFor(10 * time.Second)
		if n := len(w.came); n != 9 {
			t.Fatalf("%d events came", n)
		}
		time.Sleep(5 * time.Second)
		w.holdsFor(time.Minute)
		w.want("brute_force_user")
		if n := len(w.came); n != 10 {
			t.Errorf("%d events came", n)
		}
	})
}

// TestRecount_AnAlertMutesAfterTheChangeToo: what the holder before has reported is not reported
// again within the timespan, and is after it.
func TestRecount_AnAlertMutesAfterTheChangeToo(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.options = map[string]string{"poll_interval": "5s"}
		w.fail(12, "u")
		w.holdsFor(time.Minute)
		w.want("brute_force_user")
		for range 3 {
			w.fail(12, "u")
			w.holdsFor(time.Minute)
			w.want("brute_force_user")
		}
		time.Sleep(10 * time.Minute)
		w.fail(12, "u")
		w.holdsFor(time.Minute)
		w.want("brute_force_user", "brute_force_user")
		if w.repeat > 0 {
			t.Errorf("%d alerts came again", w.repeat)
		}
	})
}

// TestRecount_AnAttackOfHoursIsStillReported: its beginning is longer ago than what is read again,
// so that nobody knows when its alerts were. The next one comes a timespan late at most, however
// often the source changes hands.
func TestRecount_AnAttackOfHoursIsStillReported(t *testing.T) {
	const timespan, pause = 10 * time.Minute, 20 * time.Second
	seeds, hours := uint64(2), 5
	if testkit.Race {
		seeds, hours = 1, 3 // longer than the two hours that are read
	}
	for seed := range seeds {
		inWorld(t, seed, func(w *world) {
			w.options = map[string]string{"page_size": "100"} // the pages of the other tests are small
			var log []zitadeltest.Event
			for at := epoch; at.Before(epoch.Add(time.Duration(hours) * time.Hour)); at = at.Add(pause) {
				log = append(log, event(at, "user", "u", "user.human.password.check.failed", "", "203.0.113.1"))
			}
			w.write(log)
			for at := epoch; at.Before(epoch.Add(time.Duration(hours) * time.Hour)); {
				at = at.Add(rand64(w.rng, 20*time.Minute))
				w.holds(at)
			}
			var dates []time.Time
			for _, a := range w.alerts {
				dates = append(dates, a.Last)
			}
			slices.SortFunc(dates, time.Time.Compare)
			for i, at := range dates[1:] {
				if gap := at.Sub(dates[i]); gap > 2*(timespan+10*pause) {
					t.Errorf("no alert between %s and %s", dates[i], at)
				}
			}
			if n := len(dates); n < 5*hours/2 {
				t.Errorf("%d alerts", n)
			}
		})
	}
}

// TestRecount_OfAStateFileWithoutItsCounts: if the file of alerts is missing, it is made anew, and
// only once all is counted. With the file, nothing is read again.
func TestRecount_OfAStateFileWithoutItsCounts(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		path := filepath.Join(t.TempDir(), "state")
		counts := path + alertsSuffix
		w.options = map[string]string{"poll_interval": "5s", "state_path": path}
		requests := 0
		note := func(_ context.Context, method string, req proto.Message) error {
			if old(method, req) {
				requests++
			}
			return nil
		}
		w.srv.SetFaults(zitadeltest.Faults{BeforeQuery: note})
		w.fail(half, "u")
		w.holdsFor(time.Minute)
		if _, err := os.Stat(counts); err != nil {
			t.Fatal(err)
		}
		w.holdsFor(time.Minute)
		requests = 0
		w.holdsFor(time.Minute)
		if requests > 0 {
			t.Errorf("%d requests for what is known", requests)
		}
		if err := os.Remove(counts); err != nil {
			t.Fatal(err)
		}
		w.fail(half, "u")
		w.srv.SetFaults(zitadeltest.Faults{BeforeQuery: note, Latency: 4 * time.Second})
		w.holdsFor(20 * time.Second)
		if _, err := os.Stat(counts); requests == 0 || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%d requests, and then %v: a part of the counts was stored", requests, err)
		}
		w.srv.SetFaults(zitadeltest.Faults{})
		w.holdsFor(time.Minute)
		w.want("brute_force_user")
		if _, err := os.Stat(counts); err != nil {
			t.Error(err)
		}
	})
}

// quietUser is a rule about users who are not heard of any more.
const quietUser = `
title: Token
id: t
name: token
logsource: {product: zitadel, service: audit}
detection: {a: {event.action: user.token.added}, condition: a}
---
title: Quiet
id: q
name: quiet
level: low
correlation: {type: event_count, rules: [token], group-by: [user.id], timespan: 10m, condition: {lt: 1}}
`

// TestRecount_AGroupThatWasHeardBeforeIsMissed: its silence is reported a timespan after the
// change, for which nobody listened.
func TestRecount_AGroupThatWasHeardBeforeIsMissed(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		var err error
		if w.rules, err = detect.Load(fstest.MapFS{"r.yml": {Data: []byte(quietUser)}}); err != nil {
			t.Fatal(err)
		}
		w.srv.Store().Append(event(time.Now(), "user", "u", "user.token.added", "u", ""))
		time.Sleep(time.Second)
		w.holdsFor(time.Minute)
		s := w.open()
		defer s.Close()
		reading, stop := context.WithTimeout(w.t.Context(), 20*time.Minute)
		defer stop()
		var quiet []time.Duration
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			for began := time.Now(); reading.Err() == nil; time.Sleep(watchEvery) {
				for range s.detector.beside(time.Now(), nil) {
					quiet = append(quiet, time.Since(began))
				}
			}
		}()
		if err := s.read(reading, func(context.Context, pipe.Batch) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		<-watched
		if len(quiet) != 1 || quiet[0] < 10*time.Minute || quiet[0] > 11*time.Minute {
			t.Errorf("silent after %s", quiet)
		}
	})
}

// TestRecount_RulesSeeWhatTheySeeWhenAnEventIsRead: redacted, with pseudonyms and with names.
func TestRecount_RulesSeeWhatTheySeeWhenAnEventIsRead(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(strings.Repeat("0123456789abcdef", 4)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, options := range map[string]map[string]string{
		"as they are":     {"enrich": "off"},
		"with names":      {"enrich": "on"},
		"with pseudonyms": {"enrich": "off", "pseudonyms": "on", "pseudonyms_key_file": key},
		"in raw":          {"format": "raw"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				w.options = options
				added := event(time.Now(), "user", "u", "user.human.added", "admin", "203.0.113.1", "userName", "alice", "encodedHash", "$2a$s3cr3t")
				w.srv.Store().Append(added)
				w.fail(half, "u")
				w.holdsFor(time.Minute)
				seen := func(replace func(*Source, format.Watch)) (lines []string) {
					s := w.open()
					defer s.Close()
					if s.names != nil {
						s.opts.Format.Remember(s.names)
					}
					replace(s, func(_ record.Record, line []byte) {
						lines = append(lines, regexp.MustCompile(`"(created|ingested)":"[^"]*"`).ReplaceAllString(string(line), ""))
					})
					return lines
				}
				again := seen(func(s *Source, watch format.Watch) {
					c := &recount{s: s, show: s.opts.Format.Showing(watch)}
					ctx, stop := context.WithTimeout(w.t.Context(), time.Minute)
					defer stop()
					if err := c.read(ctx, time.Now()); err != nil {
						t.Fatal(err)
					}
					if n := s.opts.Format.LeftOut.Load() + s.opts.Format.Unknown.Load(); n > 0 {
						t.Errorf("%d were counted as written", n)
					}
				})
				w.state = cursor.State{}
				first := seen(func(s *Source, watch format.Watch) {
					s.opts.Format.Watch(watch)
					encode := encoder(s.Settings, s.opts.Format.Lines())
					ctx, stop := context.WithTimeout(w.t.Context(), time.Minute)
					defer stop()
					_ = s.read(ctx, func(_ context.Context, b pipe.Batch) error {
						for _, r := range b.Records {
							encode(nil, r)
						}
						return nil
					})
				})
				if len(first) != 1+half || !slices.Equal(first, again) {
					t.Errorf("read:\n%s\nread again:\n%s", strings.Join(first, ""), strings.Join(again, ""))
				}
				if strings.Contains(strings.Join(again, ""), "s3cr3t") {
					t.Error("not redacted")
				}
				if named := strings.Contains(first[half], "alice"); named != (name == "with names") {
					t.Errorf("names: %s", first[half])
				}
			})
		})
	}
}
