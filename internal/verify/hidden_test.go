package verify

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// userAdded returns the number of a line with a user's name in it.
func (s *scene) userAdded(t *testing.T) int {
	t.Helper()
	i := slices.IndexFunc(s.lines, func(l string) bool {
		return strings.Contains(l, `"user.human.added"`) && strings.Contains(l, `"userName":"`)
	})
	if i < 0 {
		t.Fatal("no user was added")
	}
	return i
}

// Somebody who can write to the SIEM can write [REDACTED] over what ZITADEL says.
func TestAWriterToTheSIEMCannotHideAValue(t *testing.T) {
	s := newScene(t, 60, nil)
	at := s.userAdded(t)
	line := s.lines[at]
	name := `"userName":"` + gjson.Get(line, "payload.userName").Str + `"`
	id := gjson.Get(line, "event.id").Str
	const token = "user-abcdefghijklmnopqrstuvwxyz"
	payload := gjson.Get(line, "payload").Raw
	for _, c := range []struct {
		name, line, field string
		of                func(*Result) Findings
	}{
		{"a value", strings.Replace(line, name, `"userName":"[REDACTED]"`, 1), "payload.userName", func(r *Result) Findings { return r.Redacted }},
		{"the whole payload", strings.Replace(line, payload, `"[REDACTED]"`, 1), "payload", func(r *Result) Findings { return r.Redacted }},
		{"the type", strings.Replace(line, `"user.human.added"`, `"[REDACTED]"`, 1), "event.type", func(r *Result) Findings { return r.Redacted }},
		{"another value with a redaction in it", strings.Replace(line, name, `"userName":"mallory [REDACTED]"`, 1), "payload.userName", func(r *Result) Findings { return r.Altered }},
		{"a pseudonym for one value alone", strings.Replace(line, name, `"userName":"`+token+`"`, 1), "payload.userName", func(r *Result) Findings { return r.Altered }},
		{"a pseudonym for what pull leaves clear", strings.Replace(line, `"user.human.added"`, `"`+token+`"`, 1), "event.type", func(r *Result) Findings { return r.Altered }},
	} {
		if c.line == line {
			t.Fatalf("%s: nothing was changed", c.name)
		}
		lines := slices.Clone(s.lines)
		lines[at] = c.line
		r := s.run(t, strings.Join(lines, "\n"))
		found := c.of(r)
		if r.Verdict != Differs || r.Differences() != 1 || found.Count != 1 || found.List[0].ID != id || !slices.Equal(found.List[0].Fields, []string{c.field}) || found.List[0].Place == "" {
			t.Errorf("%s: %s, %+v", c.name, r.Verdict, found)
		}
		for _, accept := range []string{"redacted", "pseudonyms"} { // one accepts nothing else
			o := s.options(t, strings.Join(lines, "\n"))
			o.AcceptRedacted, o.AcceptPseudonyms = accept == "redacted", accept == "pseudonyms"
			r, err := s.with(t, o)
			if err != nil {
				t.Fatal(err)
			}
			accepted := accept == "redacted" && r.Redacted.Count == 1 || accept == "pseudonyms" && r.Pseudonyms.Count == 1
			if (r.Verdict == Complete) != accepted || accepted && !strings.Contains(r.headline(), "were not compared") {
				t.Errorf("%s with %s accepted: %s", c.name, accept, r.headline())
			}
		}
	}
}

// Without the key, pseudonyms are where pull writes them, and more cannot be said: no silent success.
func TestPseudonymsWithoutTheirKeyAreNoSilentSuccess(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(strings.Repeat("0123456789abcdef", 4)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{Raw, ECS, OCSF} {
		written := newScene(t, 120, map[string]string{"format": name, "pseudonyms": "on", "pseudonyms_key_file": key})
		s := newScene(t, 120, map[string]string{"format": name})
		text := strings.Join(written.lines, "\n")
		if r := s.run(t, text); r.Verdict != Differs || r.Pseudonyms.Count == 0 || r.Differences() != r.Pseudonyms.Count {
			t.Errorf("%s: %s, %d pseudonyms, altered %+v", name, r.Verdict, r.Pseudonyms.Count, r.Altered.List)
		}
		o := s.options(t, text)
		o.AcceptPseudonyms = true
		if r, err := s.with(t, o); err != nil || r.Verdict != Complete || !strings.Contains(r.headline(), "were not compared") {
			t.Errorf("%s: %v, %s", name, err, r.headline())
		}
		if r := written.run(t, text); r.Verdict != Complete || r.Pseudonyms.Count != 0 {
			t.Errorf("%s with the key: %s", name, r.headline())
		}
	}
}

// A redaction that both sides have is no difference; what the copy says in place of one is.
func TestARedactionOnBothSidesIsEqual(t *testing.T) {
	s := newScene(t, 400, nil)
	at := slices.IndexFunc(s.lines, func(l string) bool { return strings.Contains(gjson.Get(l, "payload").Raw, `:"[REDACTED]"`) })
	if at < 0 {
		t.Fatal("no recorded event is redacted")
	}
	if r := s.run(t, strings.Join(s.lines, "\n")); r.Verdict != Complete || r.Redacted.Count != 0 {
		t.Errorf("%+v", r)
	}
	lines := slices.Clone(s.lines)
	lines[at] = strings.Replace(lines[at], `:"[REDACTED]"`, `:"mallory"`, 1)
	if r := s.run(t, strings.Join(lines, "\n")); r.Verdict != Differs || r.Redacted.Count != 1 || !strings.Contains(r.Redacted.List[0].Reason, "--redact off") {
		t.Errorf("%+v", r)
	}
}

func TestOnlyTheTextBetweenCanBeRedacted(t *testing.T) {
	for _, c := range []struct {
		hidden, value string
		fits          bool
	}{
		{"[REDACTED]", "anything", true},
		{"[REDACTED]", "", true},
		{"a=[REDACTED]&b=2", "a=1&b=2", true},
		{"a=[REDACTED]&b=3", "a=1&b=2", false},
		{"a=[REDACTED]=b", "a=b", false},
		{"x[REDACTED]y[REDACTED]z", "x1y2z", true},
		{"x[REDACTED]y[REDACTED]z", "x12z", false},
		{"a", "a", false},
	} {
		if fits(c.hidden, c.value) != c.fits {
			t.Errorf("%q in %q: want %v", c.hidden, c.value, c.fits)
		}
	}
}
