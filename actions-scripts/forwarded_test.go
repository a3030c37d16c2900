package actionsscripts

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/schema"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// forwarded runs the script with these lines of X-Forwarded-For.
func forwarded(t testing.TB, lines ...string) message {
	t.Helper()
	m := logged(t, login{HttpRequest: httpRequest{Headers: map[string][]string{"X-Forwarded-For": lines}}})
	checkForwarded(t, m, strings.Join(lines, ", "))
	return m
}

// Proxies append what they saw. No header that a client sends takes it away.
func TestTheEndOfForwardedForStays(t *testing.T) {
	const proxies = "2001:db8:ffff:ffff:ffff:ffff:255.255.255.255, 203.0.113.7, 10.0.0.1"
	for name, v := range hostile {
		v = string([]rune(v)[:min(100_000, len([]rune(v)))])
		if len(v) < 200 {
			v = strings.Repeat(v+", ", 200)
		}
		for _, lines := range [][]string{
			{v + ", " + proxies},
			{v, proxies},
			append([]string{v, v}, strings.Split(proxies, ", ")...),
			{v + "," + strings.ReplaceAll(proxies, " ", "")}, // without the blanks
		} {
			m := forwarded(t, lines...)
			if got := strings.ReplaceAll(m.ForwardedFor, " ", ""); !strings.HasSuffix(got, ","+strings.ReplaceAll(proxies, " ", "")) || !strings.HasPrefix(got, "…") {
				t.Errorf("%s: %q", name, m.ForwardedFor)
			}
		}
	}
}

// Every line of the header, and no work without end.
func TestManyLinesOfForwardedFor(t *testing.T) {
	m := logged(t, login{HttpRequest: httpRequest{Headers: map[string][]string{
		"X-Forwarded-For": make([]string, 1_000_000), "x-forwarded-for": {"198.51.100.1", "192.0.2.1"},
	}}})
	if !contains(m.Cut, "forwarded_for_start") || !strings.HasSuffix(m.ForwardedFor, ", , 198.51.100.1, 192.0.2.1") {
		t.Errorf("%+v", m)
	}
	m = forwarded(t, "", "192.0.2.1", "")
	if m.ForwardedFor != ", 192.0.2.1, " || m.Cut != nil {
		t.Errorf("%+v", m)
	}
}

// Wherever the cut falls, an entry that is an address is one that was sent.
func TestLaw7_NoCutMakesAnotherAddress(t *testing.T) {
	for _, entry := range []string{"2001:db8:1111:2222:3333:4444:5555:6666", "::ffff:198.51.100.77", "198.51.100.177", "[2001:db8::1]:4711", "\U0001f600::1", "é1.1.1.1"} {
		for _, separator := range []string{", ", ","} {
			list := strings.Repeat(entry+separator, 40)
			for pad := 0; pad < len(entry)+len(separator); pad++ { // every place for the cut
				m := forwarded(t, list+strings.Repeat("9", pad))
				entries := strings.Split(m.ForwardedFor, ",")
				if entries[0] != "…" || len(entries) < 3 {
					t.Fatalf("%q", m.ForwardedFor)
				}
				for _, e := range entries[1 : len(entries)-1] {
					if strings.TrimSpace(e) != entry {
						t.Errorf("%q of %q in %q", e, entry, m.ForwardedFor)
					}
				}
			}
		}
	}
	// One entry that does not fit: no part of it is left.
	if m := forwarded(t, strings.Repeat("1", 200)+"::1"); m.ForwardedFor != "…" {
		t.Errorf("%+v", m)
	}
	if m := forwarded(t, strings.Repeat(",", 100_000)); m.ForwardedFor != "…"+strings.Repeat(",", 157) {
		t.Errorf("%+v", m)
	}
}

// A list that fills the budget is whole; one byte more cuts it.
func TestForwardedForIsCutAtItsBudget(t *testing.T) {
	for pad, cut := range []bool{false, true} {
		list := strings.Repeat("9", 160-len(", 192.0.2.1")+pad) + ", 192.0.2.1"
		if m := forwarded(t, list); contains(m.Cut, "forwarded_for_start") != cut {
			t.Errorf("%d bytes: %+v", len(list), m)
		}
	}
}

// A client that types the mark does not make a list look cut.
func TestTheMarkOfACutListCannotBeFaked(t *testing.T) {
	if m := forwarded(t, `…, 6.6.6.6","cut":["forwarded_for_start"]`); m.Cut != nil {
		t.Errorf("%+v", m)
	}
}

// Go's strings hold no lone surrogates, those of a script can.
func TestLoneSurrogatesInForwardedFor(t *testing.T) {
	for js, want := range map[string]string{
		`"\ud83d,\ude00\ud83d\ude00".repeat(100)`: "\ufffd,\ufffd\U0001f600",
		`"\ud83d\ud83d\ude00,\ude00".repeat(100)`: "\ufffd\U0001f600,\ufffd",
	} {
		e := newEngine()
		if err := e.runWith(PostAuthLog, "post_auth_log", fmt.Sprintf(`{v1: {httpRequest: {headers: {"X-Forwarded-For": [%s, 7, null, {}, ",1.1.1.1"]}}}}`, js)); err != nil {
			t.Fatal(err)
		}
		m := e.message(t)
		if !strings.HasPrefix(m.ForwardedFor, "…,") || !strings.HasSuffix(m.ForwardedFor, want+", , , , ,1.1.1.1") {
			t.Errorf("%s: %q", js, m.ForwardedFor)
		}
		last := m.ForwardedFor[strings.LastIndexByte(m.ForwardedFor, ',')+1:]
		if _, err := netip.ParseAddr(last); err != nil {
			t.Error(err)
		}
	}
}

// The record of a login has the address that the proxies saw, with a script of version 2. Version 1
// left that address out; then the record has the TCP peer, and not what the client chose.
func TestTheAddressOfALongHeader(t *testing.T) {
	for _, c := range []struct{ name, script, want string }{
		{"version 1", version1(t, "post_auth_log.js"), "192.0.2.10 peer"},
		{"version 2", PostAuthLog, "203.0.113.7 forwarded_for"},
	} {
		for _, start := range []string{"6.6.6.6, 9.9.9.9", "…, 6.6.6.6", ","} {
			e := newEngine()
			l := login{AuthError: "none", HttpRequest: httpRequest{RemoteAddr: "192.0.2.10:4000", Headers: map[string][]string{
				"X-Forwarded-For": {start, strings.Repeat("6.6.6.6,", 12_500), "203.0.113.7, 10.0.0.1"},
			}}}
			if err := e.run(c.script, "post_auth_log", e.context(l)); err != nil {
				t.Fatal(err)
			}
			var r parser.Record
			if !parser.New(parser.Options{}).ParseDocument([]byte(e.printer.lines[0]), &r) || r.Login.CutFields == "" {
				t.Fatalf("%s: %q", c.name, e.printer.lines)
			}
			if ip, from := schema.LineAddress(&r); ip.String()+" "+string(from) != c.want {
				t.Errorf("%s, %q: %s %s, want %s", c.name, start, ip, from, c.want)
			}
		}
	}
}
