package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEnrich_DefaultsByFormat(t *testing.T) {
	base := map[string]string{"url": "https://zitadel.example.com", "token": "token-of-a-test"}
	for _, c := range []struct {
		values    string
		on, learn bool
		warning   string
	}{
		{"", false, false, ""},
		{"enrich=on", false, false, "format is raw"},
		{"learn=on", false, false, "enrich is off"},
		{"format=ecs", true, true, ""},
		{"format=ecs learn=off", true, false, ""},
		{"format=cef enrich=off", false, false, ""},
		{"format=cef enrich=off enrich_size=100M", false, false, "enrich_size"},
	} {
		values := map[string]string{}
		for k, v := range base {
			values[k] = v
		}
		for word := range strings.FieldsSeq(c.values) {
			k, v, _ := strings.Cut(word, "=")
			values[k] = v
		}
		s, warnings, err := Input.ParseMap(values, ParseOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if s.Enrich.On != c.on || s.Enrich.Learn != c.learn {
			t.Errorf("%q: %+v", c.values, s.Enrich)
		}
		text := strings.Join(warnings, "\n")
		if c.warning != "" && !strings.Contains(text, c.warning) || c.warning == "" && (strings.Contains(text, "enrich") || strings.Contains(text, "learn")) {
			t.Errorf("%q: %s", c.values, text)
		}
	}
}

func TestPseudonyms_TheKeyIsChecked(t *testing.T) {
	key := filepath.Join(t.TempDir(), "a key")
	parse := func(values map[string]string) error {
		_, _, err := Output.ParseMap(values, ParseOptions{})
		return err
	}
	for _, values := range []map[string]string{{"pseudonyms": "on"}, {"pseudonyms": "on", "pseudonyms_key_file": key}} {
		if err := parse(values); err == nil || !strings.Contains(err.Error(), "(umask 077; openssl rand -base64 32 > ") {
			t.Errorf("%v: %v", values, err)
		}
	}
	if err := os.WriteFile(key, []byte("too short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := parse(map[string]string{"pseudonyms": "on", "pseudonyms_key_file": key}); err == nil || strings.Contains(err.Error(), "too short") {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(key, []byte(strings.Repeat("0123456789abcdef", 4)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := parse(map[string]string{"pseudonyms": "on", "pseudonyms_key_file": key}); err != nil {
		t.Errorf("%v", err)
	}
}
