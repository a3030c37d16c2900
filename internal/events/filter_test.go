package events

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

func TestFilters(t *testing.T) {
	recorded := zitadeltest.Recorded()
	var manyTypes, manyAggregates []string
	byType, byAggregate := make(map[string]int), make(map[string]int)
	for _, e := range recorded {
		byType[e.GetType().GetType()]++
		byAggregate[e.GetAggregate().GetType().GetType()]++
	}
	manyTypes = slices.Sorted(maps.Keys(byType))[:60]
	manyAggregates = slices.Sorted(maps.Keys(byAggregate))[:14]
	turn := 0
	for name, set := range map[string]func(*config.Settings){
		"one event type":          func(s *config.Settings) { s.EventTypes = []string{"user.human.added"} },
		"unregistered event type": func(s *config.Settings) { s.EventTypes = []string{"user.human.added", "no.such.type"} },
		"60 event types":          func(s *config.Settings) { s.EventTypes = manyTypes },
		"60 event types excluded": func(s *config.Settings) { s.ExcludeEventTypes = manyTypes },
		"a prefix":                func(s *config.Settings) { s.EventTypes = []string{"user.human.*"} },
		"a prefix and a type":     func(s *config.Settings) { s.EventTypes = []string{"user.human.*", "org.added"} },
		"a prefix excluded":       func(s *config.Settings) { s.ExcludeEventTypes = []string{"oidc_session.*"} },
		"a prefix less a prefix": func(s *config.Settings) {
			s.EventTypes, s.ExcludeEventTypes = []string{"user.*"}, []string{"user.human.*", "user.locked"}
		},
		"aggregate type and prefix": func(s *config.Settings) {
			s.AggregateTypes, s.EventTypes = []string{"user"}, []string{"user.human.*"}
		},
		"one aggregate type": func(s *config.Settings) { s.AggregateTypes = []string{"user"} },
		"14 aggregate types": func(s *config.Settings) { s.AggregateTypes = manyAggregates },
		"one aggregate":      func(s *config.Settings) { s.AggregateIDs = []string{recorded[0].GetAggregate().GetId()} },
		"two aggregates": func(s *config.Settings) {
			s.AggregateIDs = []string{recorded[0].GetAggregate().GetId(), recorded[2000].GetAggregate().GetId()}
		},
		"one owner": func(s *config.Settings) {
			s.ResourceOwners = []string{recorded[1500].GetAggregate().GetResourceOwner()}
		},
		"two editors": func(s *config.Settings) { s.EditorUserIDs = []string{"LOGIN", recorded[1500].GetEditor().GetUserId()} },
		"aggregate and event types": func(s *config.Settings) {
			s.AggregateTypes, s.EventTypes = []string{"user"}, []string{"user.locked", "org.added"}
		},
		"page size 50, one aggregate": func(s *config.Settings) {
			s.PageSize, s.AggregateIDs = 50, []string{recorded[0].GetAggregate().GetId()}
		},
	} {
		if turn++; testkit.Race && turn%4 > 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.store.Append(zitadeltest.FromProto(recorded...)...)
				set(&w.settings)
				f := newFilter(&w.settings, nil)
				f.types = nil
				var without []string
				for _, e := range recorded {
					if !f.passes(e) {
						a := e.GetAggregate()
						without = append(without, fmt.Sprintf("test/%s/%s/%d", a.GetType().GetType(), a.GetId(), e.GetSequence()))
					}
				}
				if len(without) == 0 || len(without) == len(recorded) {
					t.Fatal("the filter tests nothing")
				}
				r := w.readFor(time.Minute)
				w.wantAll(without...)
				if strings.Contains(w.log.String(), "level=WARN") {
					t.Errorf("log: %s", w.log.String())
				}
				t.Log("calls:", r.Stats().Calls.Load(), "filtered here:", r.Stats().Filtered.Load())
			})
		})
	}
}

// A prefix takes what begins with it, of whatever aggregate, also types that neither
// this program nor ZITADEL knows; and nothing else, also not its own words alone.
func TestLaw8_APrefixTakesTypesThatNobodyKnows(t *testing.T) {
	inWorld(t, func(w *world) {
		at := w.now().Add(-time.Minute)
		for i, typ := range []string{
			"user.human.added", "user.human.of.the.future", "user.human.", // wanted
			"user.human", "user.humanoid.added", "auser.human.added", "user.locked",
		} {
			e := userEvent(fmt.Sprint("a", i), at.Add(time.Duration(i)*time.Millisecond))
			e.Type = typ
			w.store.Append(e)
		}
		e := userEvent("other", at)
		e.AggregateType, e.Type = "usergrant", "user.human.moved.elsewhere"
		w.store.Append(e)
		w.settings.EventTypes = []string{"user.human.*"}
		r := w.readFor(time.Minute)
		w.wantAll("test/user/a3/1", "test/user/a4/1", "test/user/a5/1", "test/user/a6/1")
		if n := r.Stats().Filtered.Load(); n != 4 {
			t.Errorf("%d events counted as filtered, want 4", n)
		}
	})
}

func TestLaw8_NoPrefixGoesIntoTheRequest(t *testing.T) {
	known := config.EventTypes()
	for _, types := range [][]string{{"user.human.*"}, {"user.locked", "user.human.mfa.*"}, {"debug.*"}} {
		f := newFilter(&config.Settings{EventTypes: types}, known)
		if got := f.request().GetEventTypes(); got != nil || !f.wholeAggregates {
			t.Errorf("%q: the request asks for %q", types, got)
		}
	}
	f := newFilter(&config.Settings{EventTypes: []string{"user.locked"}, ExcludeEventTypes: []string{"user.human.*"}}, known)
	if got := f.request().GetEventTypes(); !slices.Equal(got, []string{"user.locked"}) {
		t.Errorf("the request asks for %q", got)
	}
}

func TestChangedPrefixIsTold(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add(w.now().Add(-time.Minute), 3)
		for _, c := range []struct {
			types []string
			told  int
		}{
			{[]string{"user.*"}, 0},
			{[]string{"user.*"}, 0},
			{[]string{"user.human.*"}, 1},
			{[]string{"user.human.*", "user.locked"}, 2},
			{[]string{"user.locked", "user.human.*"}, 2}, // the same one
		} {
			w.settings.EventTypes = c.types
			w.readFor(time.Minute)
			if n := strings.Count(w.log.String(), "filter has changed"); n != c.told {
				t.Errorf("%q: told %d times, want %d", c.types, n, c.told)
			}
		}
	})
}

func TestChangedFilterIsTold(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add(w.now().Add(-time.Minute), 3)
		w.readFor(time.Minute)
		w.settings.EventTypes = []string{"user.locked"}
		w.readFor(time.Minute)
		if !strings.Contains(w.log.String(), "filter has changed") {
			t.Errorf("log: %s", w.log.String())
		}
	})
}

// Two events for every token: a session of the user without a login, and the
// token in it, which names nobody.
func TestExcludeOwnLeavesOutOwnTokensOnlyAndCountsThem(t *testing.T) {
	session := func(id, user, login string, at time.Time) []zitadeltest.Event {
		payload, err := structpb.NewStruct(map[string]any{"userID": user, "sessionID": login})
		if err != nil {
			t.Fatal(err)
		}
		return []zitadeltest.Event{
			{AggregateType: "oidc_session", AggregateID: id, Type: "oidc_session.added", CreatedAt: at, Payload: payload},
			{AggregateType: "oidc_session", AggregateID: id, Type: "oidc_session.access_token.added", CreatedAt: at},
		}
	}
	for _, exclude := range []bool{false, true} {
		inWorld(t, func(w *world) {
			at := w.now().Add(-time.Minute)
			w.store.Append(session("own", "me", "", at)...)
			w.store.Append(session("own-login", "me", "V1_1", at.Add(time.Second))...)
			w.store.Append(session("other", "you", "", at.Add(2*time.Second))...)
			w.client = named{w.client}
			w.settings.ExcludeOwn = exclude
			r := w.readFor(time.Minute)
			if !exclude {
				w.wantAll()
				return
			}
			w.wantAll("test/oidc_session/own/1", "test/oidc_session/own/2")
			if n := r.Stats().Own.Load(); n != 2 {
				t.Errorf("%d own events counted, want 2", n)
			}
		})
	}
}

type named struct{ Client }

func (named) OwnUserID(context.Context) (string, error) { return "me", nil }

// The warning says "not read again"; a jump over what the old filter hid must
// not bring it in by the back door.
func TestChangedFilterBringsNothingOldBack(t *testing.T) {
	inWorld(t, func(w *world) {
		at := w.now()
		w.settings.EventTypes = []string{"user.human.added"}
		w.store.Append(userEvent("a", at.Add(-time.Minute)))
		for i := range 20 {
			e := userEvent("a", at.Add(-50*time.Second+time.Duration(i)*time.Second))
			e.Type = "user.locked"
			w.store.Append(e)
		}
		w.store.Append(userEvent("a", at.Add(-time.Second)))
		for i := range 20 {
			e := userEvent("a", at.Add(-900*time.Millisecond+time.Duration(i)*time.Millisecond))
			e.Type = "user.locked"
			w.store.Append(e)
		}
		// The last state has the watermark behind them, and the key before them.
		r := w.reader()
		stop := w.run(r)
		time.Sleep(16 * time.Second)
		w.store.Append(userEvent("b", w.now()))
		time.Sleep(6 * time.Second)
		stop()
		w.settings.EventTypes = nil
		time.Sleep(time.Minute)
		w.store.Append(userEvent("a", w.now()))
		w.readFor(time.Minute)
		if len(w.out) != 4 {
			t.Errorf("%d events, want the three of the old filter and the new one: %v", len(w.out), w.out)
		}
	})
}
