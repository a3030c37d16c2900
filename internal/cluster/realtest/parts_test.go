package realtest

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
)

// Tests of the parts that the chaos test is made of: each violation of a law is found.

func at(seconds float64) time.Time {
	return time.Unix(1_800_000_000, 0).Add(time.Duration(seconds * float64(time.Second)))
}

func TestHistoryShowsWhoCommitsWithoutHolding(t *testing.T) {
	h := history{names: map[string]string{"la": "a", "lb": "b"}, changes: []change{
		{at: at(0), instance: "x", kind: taken, lease: "la", fence: 1},
		{at: at(1), instance: "x", kind: committed, by: "a", fence: 1, number: 1},
		{at: at(2), instance: "x", kind: over, lease: "la"},
		{at: at(3), instance: "x", kind: taken, lease: "lb", fence: 2},
		{at: at(4), instance: "x", kind: committed, by: "b", fence: 2, number: 2},
	}}
	holds, faults := h.holds()
	if list := holds["x"]; len(faults) > 0 || len(list) != 2 || list[0].member != "a" || list[0].end != over || !list[0].to.Equal(at(2)) || !list[1].to.IsZero() {
		t.Errorf("%+v, %q", holds, faults)
	}
	for want, c := range map[string]change{
		"a committed number 3, and b held it":           {kind: committed, by: "a", fence: 2, number: 3},
		"commit of fencing number 1, held under 2 by b": {kind: committed, fence: 1, number: 3},
		"commit number 2 after 2":                       {kind: committed, by: "b", fence: 2, number: 2},
		"a took what b held":                            {kind: taken, lease: "la", fence: 3},
		"fencing number 2 after 2":                      {kind: taken, lease: "lb", fence: 2},
	} {
		c.instance = "x"
		if _, faults := (history{h.names, append(h.changes[:5:5], c)}).holds(); len(faults) != 1 || !strings.HasSuffix(faults[0], want) {
			t.Errorf("%s: %q", want, faults)
		}
	}
}

// messages of one source, of which each rune of a text is an event.
func messages(from float64, texts ...string) (list []forwardtest.Message) {
	for i, text := range texts {
		m := forwardtest.Message{At: at(from + float64(i))}
		for _, r := range text {
			m.Records = append(m.Records, forwardtest.Record{Body: map[string]any{"event": map[string]any{"id": "x/" + string(r)}}})
		}
		list = append(list, m)
	}
	return list
}

func TestLedgerFindsLostForeignAndRepeatedEvents(t *testing.T) {
	s := &source{instance: "x", committed: map[string]bool{}}
	for _, r := range "abcdefgh" {
		s.committed["x/"+string(r)] = true
	}
	for name, c := range map[string]struct {
		a, b            []forwardtest.Message
		lost, foreign   string
		repeated, steps int
	}{
		"each once":                             {messages(0, "ab", "cd"), messages(9, "efgh"), "", "", 0, 0},
		"lost":                                  {messages(0, "ab"), messages(9, "efgh"), "x/c x/d", "", 0, 0},
		"foreign":                               {messages(0, "abcd"), messages(9, "efghi"), "", "x/i", 0, 0},
		"a step that comes in pieces":           {messages(0, "ab", "cde"), messages(9, "c", "d", "efgh"), "", "", 3, 1},
		"a step of which the late one is wrong": {messages(9, "cde"), messages(0, "abc", "d", "efgh"), "", "", 3, 1},
		"two steps":                             {messages(0, "ab", "cde"), messages(9, "bc", "d", "efgh"), "", "", 4, 2},
	} {
		l := newLedger([]*source{s})
		l.take("a", c.a)
		l.take("b", c.b)
		l.take("b", c.b) // nothing new
		lost, foreign := l.lost(), l.foreign()
		events, steps := l.repeated()
		if len(lost) != len(strings.Fields(c.lost)) || strings.Join(foreign, " ") != c.foreign || events != c.repeated || steps["x"] != c.steps {
			t.Errorf("%s: lost %q, foreign %q, %d repeated in %d steps", name, lost, foreign, events, steps["x"])
		}
	}
}

func TestVerdictKnowsHowLongNobodyCouldRead(t *testing.T) {
	kill := &faultKind{takesHolds: true, kills: true}
	stop := &faultKind{takesHolds: true}
	a := &sidecar{name: "a"}
	v := verdict{f: &fleet{o: fleetOptions{lease: 2 * time.Second}}}
	h := hold{member: "a", from: at(0), to: at(10), end: over}
	for name, c := range map[string]struct {
		fault fault
		gone  float64
	}{
		"a kill":                  {fault{kind: kill, sidecar: a, from: at(8), to: at(8.5)}, 8},
		"a stop that led to it":   {fault{kind: stop, sidecar: a, from: at(8), to: at(12)}, 8},
		"a stop long before":      {fault{kind: stop, sidecar: a, from: at(4), to: at(7)}, 10},
		"a stop before the hold":  {fault{kind: stop, sidecar: a, from: at(-1), to: at(12)}, 10},
		"a stop of another":       {fault{kind: stop, sidecar: &sidecar{name: "b"}, from: at(8), to: at(12)}, 10},
		"a fault that takes none": {fault{kind: &faultKind{}, sidecar: a, from: at(8), to: at(12)}, 10},
	} {
		v.faults = []*fault{&c.fault}
		if got := v.goneAt(h); !got.Equal(at(c.gone)) {
			t.Errorf("%s: %s, want %s", name, got, at(c.gone))
		}
	}
}

func TestNetworkCutsAndSwallowsAndHeals(t *testing.T) {
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		for {
			c, err := echo.Accept()
			if err != nil {
				return
			}
			go io.Copy(c, c)
		}
	}()
	n := newNetwork(t)
	address := n.to(t, echo.Addr().String())
	dial := func() net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	answer := func(c net.Conn, within time.Duration) error {
		t.Helper()
		_ = c.SetReadDeadline(time.Now().Add(within))
		_, err := io.ReadFull(c, make([]byte, 4))
		return err
	}
	say := func(c net.Conn) { _, _ = io.WriteString(c, "text") }

	c := dial()
	say(c)
	if err := answer(c, time.Minute); err != nil {
		t.Fatal(err)
	}
	n.set(silent)
	late := dial()
	for _, c := range []net.Conn{c, late} {
		say(c)
		if err, ok := answer(c, 100*time.Millisecond).(net.Error); !ok || !err.Timeout() {
			t.Errorf("silent: %v", err)
		}
	}
	n.set(open)
	for _, c := range []net.Conn{c, late} {
		if err := answer(c, time.Minute); err != nil {
			t.Errorf("what was sent did not arrive later: %v", err)
		}
	}
	n.set(cut)
	for _, c := range []net.Conn{c, dial()} {
		say(c)
		if err := answer(c, time.Minute); err == nil {
			t.Error("an answer through a cut network")
		}
	}
	n.set(open)
	c = dial()
	say(c)
	if err := answer(c, time.Minute); err != nil {
		t.Error(err)
	}
}
