package schema

import "testing"

func TestHostOf_HasNoPort(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "demo": "demo", "zitadel.example.com:8443": "zitadel.example.com", "127.0.0.1:80": "127.0.0.1", "[::1]:8443": "::1", "::1": "::1", "2001:db8::7:80": "2001:db8::7:80",
		"a:b": "a:b", "a:0": "a:0", "a:99999": "a:99999", "300000000000000001": "300000000000000001",
	} {
		if got := hostOf(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
