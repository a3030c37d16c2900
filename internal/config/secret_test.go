package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

const marker = "MARKER-s3cr3t-0123456789abcdef"

// Law 6: a secret stays out of every error and warning, wherever it was given.
func TestNoSecretInAnyErrorOrWarning(t *testing.T) {
	secretOptions := []string{"token", "token_file", "key_file", "client_secret_file"}
	for _, v := range []string{
		marker, marker + " x", " " + marker + "\n", marker + "\n" + marker, `"` + marker + `"`, "${" + marker, "${X}" + marker,
		"eyJ" + marker + "." + marker, `{"key":"` + marker + `"}`, "-----BEGIN RSA PRIVATE KEY-----\n" + marker,
	} {
		for _, name := range append(secretOptions, "api_token", "pat", "no_such_thing") {
			_, warnings, err := Input.ParseMap(base("token", "-", name, v, "start", marker), at(t))
			if out := fmt.Sprint(warnings, err); strings.Contains(out, marker) && !(name == "no_such_thing" || v != marker) {
				t.Errorf("%s=%q: %s", name, v, out)
			}
			_, warnings, err = Input.ParseMap(base("token", "-", name, v), at(t))
			if out := fmt.Sprint(warnings, err); strings.Contains(out, marker) {
				t.Errorf("%s=%q: %s", name, v, out)
			}
		}
	}
	for _, o := range Input.Options { // the token stands in a second option as well
		for _, v := range []string{marker, "x" + marker, "${" + marker, marker + "/" + marker, strings.Repeat("x", 110) + marker} {
			values := base("token", marker, o.Name, v)
			_, warnings, err := Input.ParseMap(values, at(t))
			if out := fmt.Sprint(warnings, err); strings.Contains(strings.ToUpper(out), strings.ToUpper(marker)) || strings.Contains(out, "x"+marker[:8]) {
				t.Errorf("%s=%s: %s", o.Name, v, out)
			}
		}
	}
	for _, u := range []string{
		"https://u:" + marker + "@h.example", "https://h.example/?token=" + marker, "https://u:" + marker + "/x@h.example", marker + "@h.example",
		"https:\\\\u:" + marker + "@h.example", "https://h.example/" + marker, "https://h.example#" + marker,
	} {
		_, warnings, err := Input.ParseMap(base("url", u), at(t))
		if out := fmt.Sprint(warnings, err); err == nil || strings.Contains(strings.ToUpper(out), strings.ToUpper(marker)) {
			t.Errorf("%s: %s", u, out)
		}
	}
}

func TestSettingsNeverShowTheToken(t *testing.T) {
	s, _, err := Input.ParseMap(base("token", marker), at(t))
	if err != nil {
		t.Fatal(err)
	}
	if s.Token.Reveal() != marker {
		t.Fatal("the token is lost")
	}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb+verb, s, &s, s.Token)
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("m", "settings", s, "pointer", &s, "token", s.Token, "any", []any{s.Token, struct{ T Secret }{s.Token}})
	}
	j, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(j)
	for _, hidden := range []string{marker, fmt.Sprintf("%x", marker), fmt.Sprint([]byte(marker))} {
		if strings.Contains(out.String(), hidden) {
			t.Error(out.String())
		}
	}
	if !strings.Contains(s.String(), "token=[REDACTED]") || !strings.Contains(s.String(), "overlap=10s") {
		t.Error(s)
	}
}

func FuzzValues(f *testing.F) {
	f.Add("start", "7d")
	f.Add("url", "https://u:p@h:1/x?y#z")
	f.Add("buffer_size", "1.5G")
	f.Add("event_types", "a,b*,[c]")
	f.Fuzz(func(t *testing.T, name, value string) {
		values := base(name, value, "token", marker)
		s, warnings, err := Input.ParseMap(values, ParseOptions{NoFiles: true, Now: func() time.Time { return testNow }})
		if strings.Contains(fmt.Sprint(s, warnings, err), marker) && !strings.Contains(value+name, marker) {
			t.Fatal("the token shows")
		}
		if err == nil && (s.URL == nil || s.Instance == "" || s.BufferSize < 2_000_000 || s.PollInterval < 100*time.Millisecond || s.Settle < 0) {
			t.Fatalf("accepted: %s", s)
		}
		starts := 0
		for _, set := range []bool{s.Start.Beginning, s.Start.Now, !s.Start.At.IsZero(), s.Start.Back != 0} {
			if set {
				starts++
			}
		}
		if err == nil && starts != 1 {
			t.Fatalf("start %+v", s.Start)
		}
	})
}
