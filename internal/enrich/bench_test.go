package enrich

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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
		s := fresh(b, Options{})
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
		runtime.KeepAlive(s)
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
	b.ReportAllocs()
	defer cpu(b)()
	i := 0
	for b.Loop() {
		e := events[i%len(events)]
		i++
		s.Learn(e)
		lookups(s, e)
		s.pending = s.pending[:0]
	}
}

// lookups asks for the editor, the aggregate and the organisation of an event.
func lookups(s *Store, e *event) {
	if e.Editor.ID != "" {
		s.User(e.Editor.ID)
	}
	switch e.AggregateType {
	case "user":
		s.User(e.AggregateID)
	case "project":
		s.Project(e.AggregateID)
	case "session", "oidc_session", "auth_request":
		if x, ok := s.Session(e.AggregateType, e.AggregateID); ok {
			s.User(x.User)
		}
	}
	s.Org(e.ResourceOwner)
}

// cpu reports the time that the process had a core: on a busy machine ns/op says more about
// the others.
func cpu(b *testing.B) func() {
	var from, to unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &from)
	return func() {
		_ = unix.Getrusage(unix.RUSAGE_SELF, &to)
		ns := to.Utime.Nano() + to.Stime.Nano() - from.Utime.Nano() - from.Stime.Nano()
		b.ReportMetric(float64(ns)/float64(b.N), "cpu-ns/op")
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
			events := make([]*event, min(active, 1<<14))
			for i := range events {
				id, _, _, _ := person(rand.IntN(active) * (million / active))
				events[i] = what("user.human.password.check.succeeded", "user", id, 9, start, map[string]any{})
			}
			b.ReportAllocs()
			defer cpu(b)()
			i := 0
			for b.Loop() {
				e := events[i%len(events)]
				i++
				s.Learn(e)
				if _, ok := s.User(e.AggregateID); !ok {
					b.Fatal("not known")
				}
			}
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
			b.ReportAllocs()
			defer cpu(b)()
			i := 0
			for b.Loop() {
				if _, ok := users[ids[i%len(ids)]]; !ok {
					b.Fatal("not known")
				}
				i++
			}
			b.ReportMetric(float64(after.HeapInuse-before.HeapInuse)/(1<<20), "MiB")
		})
	}
}
