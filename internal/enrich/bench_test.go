package enrich

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"
)

const million = 1_000_000

var (
	first = []string{"anna", "benedikt", "chiara", "dmitri", "elif", "francesca", "georg", "hannah", "ivan", "jose", "katharina", "li", "mohammed", "noemi", "ole", "priya"}
	last  = []string{"schmidt", "mueller", "rossi", "kowalski", "yilmaz", "papadopoulos", "garcia", "smith", "nguyen", "andersen", "keller", "dubois", "novak", "okafor", "tanaka", "weber"}
)

// person returns the i-th of many users: an address of one of 1,000 domains, an
// organisation of 5,000.
func person(i int) (id, name, email, display string) {
	f, l := first[i%16], last[i/16%16]
	id = strconv.Itoa(400_712_317_102_263_334 + i*65_537)
	name = f + "." + l + strconv.Itoa(i)
	return id, name, name + "@firma-" + strconv.Itoa(i%1000) + ".example.com", f + " " + l
}

func personEvent(i int) *event {
	id, name, email, display := person(i)
	e := human(id, 1, start.Add(time.Duration(i)*time.Millisecond), name, email, display)
	e.ResourceOwner = strconv.Itoa(400_712_000_000_000_000 + i%5000*65_537)
	return e
}

// A million users, learned one after the other, all of them known. The metric is what the
// heap grew by.
func BenchmarkMillionUsers(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		path := filepath.Join(b.TempDir(), "names")
		s := open(b, path, Options{})
		e := personEvent(0)
		payload := e.Payload.Fields
		began := time.Now()
		var building time.Duration
		for i := range million {
			t := time.Now()
			id, name, email, display := person(i)
			e.AggregateID = id
			payload["userName"], payload["email"], payload["displayName"] = structpb.NewStringValue(name), structpb.NewStringValue(email), structpb.NewStringValue(display)
			building += time.Since(t)
			s.Learn(e)
			s.pending = s.pending[:0]
		}
		learned := time.Since(began) - building
		runtime.GC()
		runtime.ReadMemStats(&after)
		if s.names.index.count != million {
			b.Fatalf("%d users are known", s.names.index.count)
		}
		b.ReportMetric(float64(after.HeapInuse-before.HeapInuse)/(1<<20), "MiB")
		b.ReportMetric(float64(s.Stats().Bytes)/(1<<20), "MiB-counted")
		b.ReportMetric(float64(learned.Nanoseconds())/million, "ns/user")
		began = time.Now()
		if err := s.file.rewrite(s.snapshot); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms-rewrite")
		b.ReportMetric(float64(s.file.size)/(1<<20), "MiB-file")
		crash(s)
		began = time.Now()
		again := open(b, path, Options{})
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms-open")
		if again.names.index.count != million {
			b.Fatalf("%d users are known again", again.names.index.count)
		}
		crash(again)
	}
}

// What a record costs: the events of a recording learned again, with the lookups that an
// encoder would do.
func BenchmarkRecorded(b *testing.B) {
	events := recorded()
	s := fresh(b, Options{})
	for _, e := range events {
		s.Learn(e)
	}
	calm(b, len(events), func(i int) {
		e := events[i%len(events)]
		s.Learn(e)
		lookups(s, e)
		s.pending = s.pending[:0]
	})
}

// lookups asks for the editor, the aggregate and the organisation of an event.
func lookups(s *Store, e *event) (n int) {
	n = 1
	if e.Editor.ID != "" {
		s.User(e.Editor.ID)
		n++
	}
	switch e.AggregateType {
	case "user":
		s.User(e.AggregateID)
		n++
	case "project":
		s.Project(e.AggregateID)
		n++
	case "session", "oidc_session", "auth_request":
		if x, ok := s.Session(e.AggregateType, e.AggregateID); ok {
			s.User(x.User)
			n++
		}
		n++
	}
	s.Org(e.ResourceOwner)
	return n
}

// calm runs f and reports the tenth percentile of the time of so many calls, by one: on a
// busy machine ns/op says more about the others.
func calm(b *testing.B, calls int, f func(i int)) {
	var times []time.Duration
	b.ReportAllocs()
	i := 0
	began := time.Now()
	for b.Loop() {
		f(i)
		if i++; i%calls == 0 {
			now := time.Now()
			times = append(times, now.Sub(began))
			began = now
		}
	}
	if slices.Sort(times); len(times) > 0 {
		b.ReportMetric(float64(times[len(times)/10].Nanoseconds())/float64(calls), "calm-ns/op")
	}
}

// A million users are known; an event is of any of them, or of few who are active.
func BenchmarkLookup(b *testing.B) {
	s := fresh(b, Options{})
	for i := range million {
		s.Learn(personEvent(i))
		s.pending = s.pending[:0]
	}
	for _, active := range []int{100, 10_000, million} {
		b.Run(fmt.Sprintf("%d active", active), func(b *testing.B) {
			ids := make([]string, min(active, 1<<14))
			for i := range ids {
				ids[i], _, _, _ = person(rand.IntN(active) * (million / active))
			}
			e := what("user.human.password.check.succeeded", "user", "", 9, start, map[string]any{})
			calm(b, 64, func(i int) {
				e.AggregateID = ids[i%len(ids)]
				s.Learn(e)
				if _, ok := s.User(e.AggregateID); !ok {
					b.Fatal("not known")
				}
			})
		})
	}
}

// A few users are active, and between their events others come whose users nobody knows.
func BenchmarkUnknown(b *testing.B) {
	s := fresh(b, Options{})
	for i := range million {
		s.Learn(personEvent(i))
		s.pending = s.pending[:0]
	}
	const active = 500
	known, unknown := make([]string, active), make([]string, 1<<16)
	for i := range known {
		known[i], _, _, _ = person(i * (million / active))
	}
	for i := range unknown {
		unknown[i] = strconv.Itoa(500_000_000_000_000_000 + i*65_537)
	}
	for _, flood := range []int{0, 1, 10} {
		b.Run(fmt.Sprintf("%d for each known", flood), func(b *testing.B) {
			next, missed := 0, 0
			calm(b, 64, func(i int) {
				for range flood {
					next++
					s.User(unknown[next%len(unknown)])
				}
				id := known[i%active]
				if s.hot.get(s.hot.hash(kindUser, id), kindUser, id) == nil {
					missed++
				}
				s.User(id)
			})
			b.ReportMetric(100*float64(missed)/float64(b.N), "%missed")
		})
	}
}

// What one would write first: a map of structs. Its lookups are the measure for a busy
// machine, its memory is why there is a ring.
func BenchmarkBaseline(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	users := map[string]User{}
	for i := range million {
		id, name, email, display := person(i)
		users[id] = User{Name: name, Email: email, DisplayName: display, Kind: "human", Org: strconv.Itoa(400_712_000_000_000_000 + i%5000*65_537)}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	for _, active := range []int{100, 10_000, million} {
		b.Run(fmt.Sprintf("%d active", active), func(b *testing.B) {
			ids := make([]string, min(active, 1<<14))
			for i := range ids {
				ids[i], _, _, _ = person(rand.IntN(active) * (million / active))
			}
			calm(b, 64, func(i int) {
				if _, ok := users[ids[i%len(ids)]]; !ok {
					b.Fatal("not known")
				}
			})
			b.ReportMetric(float64(after.HeapInuse-before.HeapInuse)/(1<<20), "MiB")
		})
	}
}

// Logins of a million users, few of whom are active: what a record costs to learn from and
// to ask for, as an encoder asks. Every event is newer than what is known.
func BenchmarkLogins(b *testing.B) {
	s := fresh(b, Options{})
	for i := range million {
		s.Learn(personEvent(i))
		s.pending = s.pending[:0]
	}
	s.Learn(what("user.machine.added", "user", "77", 1, start, map[string]any{"userName": "login-client", "name": "Login Client"}))
	zipf := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 10, million-1)
	users, sessions, requests := make([]string, 1<<14), make([]string, 1<<14), make([]string, 1<<14)
	for i := range users {
		users[i], _, _, _ = person(int(zipf.Uint64()))
		sessions[i] = strconv.Itoa(400_900_000_000_000_000 + i*65_537)
		requests[i] = "V2_" + sessions[i]
	}
	agent := map[string]any{"ip": "203.0.113.7", "description": "Mozilla/5.0 (X11; Linux x86_64)", "fingerprint_id": "400900000000000000"}
	login := []*event{ // the ids are set below
		what("auth_request.added", "auth_request", "", 1, start, map[string]any{"client_id": "400712317270166566"}),
		what("session.added", "session", "", 1, start, map[string]any{"user_agent": agent}),
		what("session.user.checked", "session", "", 2, start, map[string]any{"userID": "", "userResourceOwner": org}),
		what("session.password.checked", "session", "", 3, start, map[string]any{"checkedAt": "2026-11-22T09:30:01.542673998Z"}),
		what("user.human.password.check.succeeded", "user", "", 9, start, map[string]any{}),
		what("session.token.set", "session", "", 4, start, map[string]any{"tokenID": "400900000000000000"}),
		what("auth_request.session.linked", "auth_request", "", 2, start, map[string]any{"session_id": "", "user_id": ""}),
		what("auth_request.code.added", "auth_request", "", 3, start, map[string]any{}),
		what("oidc_session.added", "oidc_session", "", 1, start, map[string]any{"userID": "", "sessionID": "", "clientID": "400712317270166566", "userAgent": agent}),
		what("oidc_session.access_token.added", "oidc_session", "", 2, start, map[string]any{"id": "at_400900000000000000"}),
	}
	asked := 0
	calm(b, 10*len(login), func(i int) {
		e, n := login[i%len(login)], i/len(login)%len(users)
		if e.Editor.ID = "77"; i%len(login) == 0 {
			for _, e := range login {
				e.Sequence += 10
				for key, id := range map[string]string{"userID": users[n], "user_id": users[n], "sessionID": sessions[n], "session_id": sessions[n]} {
					if v, ok := e.Payload.Fields[key]; ok {
						v.Kind.(*structpb.Value_StringValue).StringValue = id
					}
				}
			}
		}
		switch e.AggregateType {
		case "user":
			e.AggregateID = users[n]
		case "session":
			e.AggregateID = sessions[n]
		default:
			e.AggregateID = requests[n]
		}
		s.Learn(e)
		asked += lookups(s, e)
		s.pending = s.pending[:0]
	})
	b.ReportMetric(float64(asked)/float64(b.N), "lookups/op")
}
