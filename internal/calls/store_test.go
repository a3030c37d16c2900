package calls_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/calls"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

const (
	addHuman = "/zitadel.user.v2.UserService/AddHumanUser"
	setMeta  = "/zitadel.management.v1.ManagementService/SetUserMetadata"
)

var (
	a, b = netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.2")
	noon = began.Add(3 * time.Hour)
)

// at is a second of noon, to the microsecond.
func at(seconds float64) time.Time {
	return noon.Add(time.Duration(seconds*1e6) * time.Microsecond)
}

// request and response are signed in the second in which they are sent.
func request(user, method string, from netip.Addr, seconds float64) calls.Call {
	return calls.Call{Method: method, User: user, Address: from, Signed: at(seconds).Truncate(time.Second), Pair: [16]byte{1}}
}

func response(user, method string, from netip.Addr, seconds, changed float64) calls.Call {
	c := request(user, method, from, seconds)
	c.Response = true
	if changed != 0 {
		c.Changed = at(changed)
	}
	return c
}

// What is found for an event user.metadata.set of the user u at second 10, read 5 s later
// if nothing else is said.
func TestFind(t *testing.T) {
	type list = []calls.Call
	for _, c := range []struct {
		name  string
		calls list
		typ   string
		age   float64
		want  calls.Verdict
	}{
		{name: "nothing is known", want: calls.Unknown},
		{name: "the response names the date", calls: list{request("u", setMeta, a, 10), response("u", setMeta, a, 10.1, 10)}, want: calls.Found},
		{name: "the same, at once", calls: list{request("u", setMeta, a, 10), response("u", setMeta, a, 10.1, 10)}, age: 0.2, want: calls.Found},
		{name: "the response alone", calls: list{response("u", setMeta, a, 10.1, 10)}, want: calls.Found},
		{name: "the response alone, at once: another call may be on its way", calls: list{response("u", setMeta, a, 10.1, 10)}, age: 0.2, want: calls.Unknown},
		{name: "the request alone: a call that failed", calls: list{request("u", setMeta, a, 10)}, want: calls.Found},
		{name: "the request alone, at once: another may be on its way", calls: list{request("u", setMeta, a, 10)}, age: 0.2, want: calls.Unknown},
		{name: "a response without a date, whose request was lost", calls: list{response("u", setMeta, a, 10.1, 0)}, want: calls.Unknown},
		{name: "the response names another date", calls: list{request("u", setMeta, a, 10), response("u", setMeta, a, 10.1, 10.05)}, want: calls.Unknown},
		{name: "another user", calls: list{response("v", setMeta, a, 10.1, 10)}, want: calls.Unknown},
		{name: "a method that writes something else", calls: list{response("u", addHuman, a, 10.1, 10)}, typ: "user.locked", want: calls.Unknown},
		{name: "a method that the table does not know", calls: list{request("u", "/zitadel.user.v9.UserService/ForgeUser", a, 10)}, want: calls.Found},
		{name: "a reading method that the table does not know", calls: list{request("u", "/zitadel.user.v9.UserService/GetUser", a, 10)}, want: calls.Unknown},
		{name: "a type that no call writes", calls: list{response("u", setMeta, a, 10.1, 10)}, typ: "milestone.pushed", want: calls.Unknown},
		{name: "a call long before", calls: list{request("u", setMeta, a, -8), response("u", setMeta, a, -7, 0)}, want: calls.Unknown},
		{name: "a call after it", calls: list{request("u", setMeta, a, 14)}, want: calls.Unknown},
		{name: "no address", calls: list{response("u", setMeta, netip.Addr{}, 10.1, 10)}, want: calls.Unknown},

		{name: "two addresses, and a response names the date", calls: list{response("u", setMeta, a, 10.1, 10), response("u", setMeta, b, 10.1, 10.01)}, want: calls.Found},
		{name: "two addresses that failed", calls: list{request("u", setMeta, a, 10), request("u", setMeta, b, 11)}, want: calls.Ambiguous},
		{name: "one of them has no address", calls: list{request("u", setMeta, a, 10), request("u", setMeta, netip.Addr{}, 11)}, want: calls.Ambiguous},
		{name: "both responses name the date", calls: list{response("u", setMeta, a, 10.1, 10), response("u", setMeta, b, 10.2, 10)}, want: calls.Ambiguous},
		{name: "one names it, the other has no answer yet", calls: list{response("u", setMeta, a, 10.1, 10), request("u", setMeta, b, 10)}, age: 0.2, want: calls.Ambiguous},
		{name: "one names it, the other never got an answer", calls: list{response("u", setMeta, a, 10.1, 10), request("u", setMeta, b, 10)}, want: calls.Found},
		{name: "one names it, the other was answered without a date", calls: list{response("u", setMeta, a, 10.1, 10), response("u", setMeta, b, 10.1, 0)}, want: calls.Ambiguous},
		{name: "one failed, the other one named a later date", calls: list{request("u", setMeta, a, 10), response("u", setMeta, b, 10.3, 10.2)}, want: calls.Ambiguous},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := noon.Add(-time.Minute)
			s := calls.New(func() time.Time { return now })
			now = at(10)
			for _, call := range c.calls {
				s.Add(call)
			}
			typ, age := c.typ, c.age
			if typ == "" {
				typ = "user.metadata.set"
			}
			if age == 0 {
				age = 5
			}
			got, verdict := s.Find("u", typ, at(10), at(10+age))
			if verdict != c.want || verdict == calls.Found && got != a {
				t.Errorf("%s %v, want %v", got, verdict, c.want)
			}
		})
	}
}

// Where calls may be missing, no event gets an address: after a start, and where memory was
// full or calls were too old.
func TestNoAddressWhereCallsMayBeMissing(t *testing.T) {
	now := noon
	s := calls.New(func() time.Time { return now })
	find := func(seconds float64) calls.Verdict {
		_, v := s.Find("u", "user.metadata.set", at(seconds), at(seconds+5))
		return v
	}
	s.Add(response("u", setMeta, a, 5, 5))
	s.Add(response("u", setMeta, a, 30, 30))
	if find(5) != calls.Unknown || find(30) != calls.Found {
		t.Error("after a start", find(5), find(30))
	}
	s.Limit(100)
	for i := range 1000 {
		now = at(60 + float64(i))
		s.Add(response(fmt.Sprint("user-", i), setMeta, b, 60+float64(i), 60+float64(i)))
	}
	s.Add(response("u", setMeta, a, 100, 100)) // it came late, and others of that time are gone
	if st := s.Stats(); st.Calls > 100 || s.Callers() > 100 || st.Forgotten == 0 {
		t.Errorf("%+v, %d users", st, s.Callers())
	}
	if find(30) != calls.Unknown || find(100) != calls.Unknown {
		t.Error("memory was full", find(30), find(100))
	}
	now = at(3600)
	s.Add(response("u", setMeta, a, 3600, 3600))
	if st := s.Stats(); st.Calls != 1 || s.Callers() != 1 {
		t.Errorf("an hour later: %+v, %d users", st, s.Callers())
	}
	if find(3600) != calls.Found {
		t.Error(find(3600))
	}
}

// With memory for a part of the calls, fewer events get an address, and none a wrong one.
func TestNeverAWrongAddress_WhenMemoryIsFull(t *testing.T) {
	worlds := uint64(6)
	if testkit.Race {
		worlds = 1
	}
	for _, most := range []int{2000, 200} { // of about 95 a second
		var s score
		for seed := range worlds {
			w := newWorld(seed, kinds{true, true})
			w.most = most
			s.count(t, w.run(50, 10, 500*time.Millisecond))
		}
		t.Logf("%d calls in memory: %s", most, &s)
		if most == 2000 && s.right == 0 {
			t.Error("no event got an address")
		}
	}
}

func BenchmarkFind(b *testing.B) {
	now := noon
	s := calls.New(func() time.Time { return now })
	now = now.Add(time.Minute)
	for i := range 5000 { // 500 calls a second of 50 users
		x := 60 + float64(i)/500
		s.Add(response(fmt.Sprint("user-", i%50), setMeta, a, x, x))
	}
	b.ReportAllocs()
	for i := range b.N {
		x := 60 + float64(i%5000)/500
		if _, v := s.Find(users[i%50], "user.metadata.set", at(x), at(x+5)); v != calls.Found {
			b.Fatal(v)
		}
	}
}

var users = func() (list []string) {
	for i := range 50 {
		list = append(list, fmt.Sprint("user-", i))
	}
	return list
}()

func BenchmarkAdd(b *testing.B) {
	now := noon
	s := calls.New(func() time.Time { return now })
	b.ReportAllocs()
	for i := range b.N {
		now = at(float64(i) / 500)
		s.Add(response(users[i%50], setMeta, a, float64(i)/500, float64(i)/500))
	}
}
