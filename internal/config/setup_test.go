package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestSetupSaysEverythingThatIsWrongAtOnce(t *testing.T) {
	right := func(more ...string) map[string]string {
		return base(append([]string{"endpoint", "https://siem.example.com:8443", "keys_dir", "/etc/keys"}, more...)...)
	}
	s, warnings, err := Setup.ParseMap(right(), at(t))
	if err != nil || len(warnings) > 0 || s.Name != "zitadel-siem" || len(s.Events) != 1 || s.Events[0] != "all" || s.Endpoint.String() != "https://siem.example.com:8443" {
		t.Errorf("%+v %v %v", s, warnings, err)
	}
	if s, _, err := SetupRemove.ParseMap(base(), at(t)); err != nil || s.Name != "zitadel-siem" {
		t.Error(err)
	}
	if _, warnings, err := Setup.ParseMap(right("endpoint", "http://siem.example.com", "insecure", "on"), at(t)); err != nil || !strings.Contains(fmt.Sprint(warnings), "unencrypted to siem.example.com") || len(warnings) != 1 {
		t.Error(warnings, err)
	}
	for _, c := range []struct {
		values map[string]string
		says   []string
	}{
		{base("url", "-", "token", "-"), []string{"url", "token", "endpoint: is missing", "keys_dir: is missing"}},
		{right("endpoint", "https://siem.example.com/hooks"), []string{"endpoint", "did you mean https://siem.example.com?"}},
		{right("endpoint", "http://siem.example.com"), []string{"unencrypted", "did you mean https://siem.example.com?"}},
		{right("name", "../x", "events", "user.%,a b"), []string{"name", "key file", "is a pattern", "is neither an event type nor a group"}},
		{right("name", ".x"), []string{"name"}},
	} {
		_, _, err := Setup.ParseMap(c.values, at(t))
		for _, part := range c.says {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%v: %q is missing in %v", c.values, part, err)
			}
		}
	}
}
