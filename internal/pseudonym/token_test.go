package pseudonym

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
)

var testKey = bytes.Repeat([]byte("0123456789abcdef"), 2)

var form = regexp.MustCompile(`^(user|mail|phone|ip|name|agent|data)-[a-z2-7]{26}$`)

// The tokens of a key never change: rules and stored records depend on them.
func TestToken_IsStable(t *testing.T) {
	p := New(testKey)
	for want, v := range map[string]Value{
		"mail-" + wantAnn:  {Mail, "ann@example.com"},
		"user-" + wantAnn:  {User, "Ann@Example.com"},
		"ip-" + wantIP:     {IP, "203.0.113.7"},
		"phone-" + wantTel: {Phone, "+41 79 999 10 00"},
	} {
		if got := p.Token(v.Kind, v.Text); got != want || !form.MatchString(got) {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
}

// Made with Python's hmac and base64.
const (
	wantAnn = "be7d3wo7suofacbclvjtualvi5"
	wantIP  = "kwt4torzy5ros477z4uugyohr5"
	wantTel = "5nsfcgeysur7vzl7d5v4dpbut7"
)

// All spellings of one value have one token; different values have different ones, and so
// has another key.
func TestToken_SpellingsOfOneValue(t *testing.T) {
	p := New(testKey)
	seen := map[string]int{}
	for i, same := range []struct {
		kind   Kind
		values []string
	}{
		{Mail, []string{"ann@example.com", "Ann@Example.COM", " ann@example.com "}},
		{Mail, []string{"ann@example.org"}},
		{User, []string{"Zoë", "ZOË", "zoë"}},
		{Name, []string{"Ann Schmidt", "ann schmidt"}},
		{Phone, []string{"+41799991000", "+41 79 999 10 00", "0041 79 999 10 00", "+41 (79) 999-10.00"}},
		{Phone, []string{"0799991000", "079 999 10 00"}},
		{IP, []string{"203.0.113.7", "::ffff:203.0.113.7", "[::ffff:cb00:7107]", "203.0.113.7:4711", "[::ffff:203.0.113.7]:80"}},
		{IP, []string{"2001:db8::1", "2001:DB8:0:0:0:0:0:1", "[2001:db8::1]", "[2001:db8::1]:443", "2001:0db8::0001%eth0"}},
		{IP, []string{"unknown", "Unknown"}},
		{Agent, []string{"Mozilla/5.0"}},
		{Agent, []string{"mozilla/5.0"}},
		{Data, []string{"Bern"}},
	} {
		first := p.Token(same.kind, same.values[0])
		for _, v := range same.values {
			got := p.Token(same.kind, v)
			if got != first || !form.MatchString(got) || !strings.HasPrefix(got, string(same.kind)) {
				t.Errorf("%s %q: %s, want %s", same.kind, v, got, first)
			}
		}
		if was, ok := seen[first]; ok {
			t.Errorf("%v has the token of group %d", same.values, was)
		}
		seen[first] = i
		if other := New([]byte(strings.Repeat("x", 32))).Token(same.kind, same.values[0]); other == first {
			t.Errorf("%v has the same token under another key", same.values)
		}
	}
}

// Nobody passes for somebody else by taking a token for a name.
func TestToken_OfATokenIsAnother(t *testing.T) {
	p := New(testKey)
	token := p.Token(User, "ann")
	if forged := p.Token(User, token); forged == token || !form.MatchString(forged) {
		t.Errorf("%s stays %s", token, forged)
	}
}

func TestToken_OfNothing(t *testing.T) {
	p := New(testKey)
	for _, v := range []string{"", "[REDACTED]"} {
		if got := p.Token(Mail, v); got != v {
			t.Errorf("%q became %q", v, got)
		}
	}
}

// The mark of a list that a script cut is no address.
func TestAddresses_OfACutList(t *testing.T) {
	p := New(testKey)
	a, b := p.Token(IP, "203.0.113.7"), p.Token(IP, "10.0.0.1")
	if got, want := p.Addresses("…, 203.0.113.7,10.0.0.1"), "…, "+a+", "+b; got != want || a == b {
		t.Errorf("%q, want %q", got, want)
	}
}

// The cache is bounded, and forgetting changes no token.
func TestToken_CacheIsBounded(t *testing.T) {
	p := New(testKey)
	first := p.Token(User, "user 0")
	long := strings.Repeat("x", cachedBytes+1)
	for i := range 5 * cached {
		p.Token(User, fmt.Sprint("user ", i))
		p.Token(Data, fmt.Sprint(long, i))
		if n := len(p.young) + len(p.old); n > 2*cached {
			t.Fatalf("%d tokens are kept", n)
		}
	}
	if got := p.Token(User, "user 0"); got != first {
		t.Errorf("%s, was %s", got, first)
	}
}

func TestToken_Concurrent(t *testing.T) {
	p := New(testKey)
	want := p.Token(User, "user 7")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := range 2000 {
				if got := p.Token(User, fmt.Sprint("user ", i%100)); i%100 == 7 && got != want {
					t.Errorf("%s, want %s", got, want)
				}
			}
		})
	}
	group.Wait()
}
