package conf

import (
	"bytes"
	"encoding/csv"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// splunkSpec is what Splunk's spec files allow of what the app uses: stanzas, and keys
// with their values.
var splunkSpec = map[string]struct {
	stanza *regexp.Regexp
	keys   map[string]string // both are expressions
}{
	"app.conf": {regexp.MustCompile(`^(install|ui|launcher|package)$`), map[string]string{
		"state": "enabled|disabled", "is_configured|is_visible|check_for_updates": "true|false", "label": ".{5,80}", "author|description": ".+", "version": `\d+\.\d+\.\d+`, "id": `\w+`,
	}},
	"props.conf": {regexp.MustCompile(`^[\w:]+$`), map[string]string{
		"KV_MODE": "none|auto|auto_escaped|multi|json|xml", "SHOULD_LINEMERGE": "true|false", "TRUNCATE": `\d+`, "category|description": ".+",
		`REPORT-\w+`: `[\w, ]+`, `LOOKUP-\w+`: `\w+ \w+ AS [\w.]+ OUTPUT(NEW)? \w+`, `FIELDALIAS-\w+`: `[\w.{}]+ AS \w+( [\w.{}]+ AS \w+)*`, `EVAL-\w+`: ".+",
	}},
	"transforms.conf": {regexp.MustCompile(`^\w+$`), map[string]string{
		"SOURCE_KEY": `[\w.{}]+`, "REGEX": ".+", "FORMAT": `[\w$]+::\$\d`, "MV_ADD": "true|false", "filename": `\w+\.csv`,
	}},
	"eventtypes.conf": {regexp.MustCompile(`^\w+$`), map[string]string{"search": `sourcetype="zitadel:audit"( [\w.{}]+="\w+")*`}},
	"tags.conf":       {regexp.MustCompile(`^eventtype=\w+$`), map[string]string{`\w+`: "enabled|disabled"}},
	"default.meta":    {regexp.MustCompile(`^$`), map[string]string{"access": `read : \[ \* \], write : \[ admin \]`, "export": "system|none"}},
}

type stanza struct {
	name string
	keys map[string]string
}

// splunkFile reads a file of the app by the rules of its spec.
func splunkFile(t *testing.T, dir, name string) (all []stanza) {
	t.Helper()
	spec := splunkSpec[name]
	data, err := os.ReadFile(filepath.Join("splunk/zitadel", dir, name))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.TrimSuffix(line, "\n")
		key, value, pair := strings.Cut(line, " = ")
		switch {
		case line == "", strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]"):
			s := stanza{line[1 : len(line)-1], map[string]string{}}
			if !spec.stanza.MatchString(s.name) {
				t.Errorf("%s:%d: stanza %s", name, n, line)
			}
			all = append(all, s)
		case !pair || len(all) == 0 || strings.HasSuffix(line, `\`) || strings.TrimSpace(line) != line:
			t.Errorf("%s:%d: %q", name, n, line)
		default:
			s := all[len(all)-1]
			if _, twice := s.keys[key]; twice {
				t.Errorf("%s:%d: %s is there twice", name, n, key)
			}
			s.keys[key] = value
			if !allowed(spec.keys, key, value) {
				t.Errorf("%s:%d: the specification has no %q", name, n, line)
			}
		}
	}
	return all
}

func allowed(keys map[string]string, key, value string) bool {
	for k, v := range keys {
		if regexp.MustCompile(`^(`+k+`)$`).MatchString(key) && regexp.MustCompile(`^(`+v+`)$`).MatchString(value) {
			return true
		}
	}
	return false
}

// The app keeps to the specifications of Splunk's files, and names fields, transforms,
// lookups and event types that exist.
func TestSplunk_TheAppKeepsToTheSpecification(t *testing.T) {
	for dir, name := range map[string]string{"default": "app.conf", "metadata": "default.meta"} {
		splunkFile(t, dir, name)
	}
	transforms := map[string]stanza{}
	for _, s := range splunkFile(t, "default", "transforms.conf") {
		transforms[s.name] = s
		if _, err := regexp.Compile(s.keys["REGEX"]); err != nil {
			t.Error(err)
		}
		if key := s.keys["SOURCE_KEY"]; key != "" {
			wantSplunkField(t, s.name, key)
		}
		if file := s.keys["filename"]; file != "" {
			wantSeverities(t, file)
		}
	}
	for _, s := range splunkFile(t, "default", "props.conf") {
		for key, value := range s.keys {
			kind, _, _ := strings.Cut(key, "-")
			switch words := strings.Fields(value); kind {
			case "REPORT":
				for _, name := range strings.Split(value, ", ") {
					if transforms[name].keys["REGEX"] == "" {
						t.Errorf("%s: no transform %s", key, name)
					}
				}
			case "LOOKUP":
				if transforms[words[0]].keys["filename"] == "" {
					t.Errorf("%s: no lookup %s", key, words[0])
				}
				wantSplunkField(t, key, words[3])
			case "FIELDALIAS":
				for i := 0; i < len(words); i += 3 {
					wantSplunkField(t, key, words[i])
				}
			case "EVAL":
				wantEval(t, key, value)
			}
		}
	}
	types := map[string]bool{}
	for _, s := range splunkFile(t, "default", "eventtypes.conf") {
		types["eventtype="+s.name] = true
		for _, m := range regexp.MustCompile(`([\w.{}]+)="`).FindAllStringSubmatch(s.keys["search"], -1) {
			if m[1] != "sourcetype" {
				wantSplunkField(t, s.name, m[1])
			}
		}
	}
	tags := map[string]bool{}
	for _, s := range splunkFile(t, "default", "tags.conf") {
		if !types[s.name] {
			t.Errorf("tags.conf: no %s", s.name)
		}
		for tag := range s.keys {
			tags[tag] = true
		}
	}
	if !tags["authentication"] || !tags["change"] {
		t.Error("no tags of the Common Information Model")
	}
}

// evalFunctions are those that the app uses, with the least number of arguments.
var evalFunctions = map[string]int{"case": 2, "coalesce": 2, "if": 3, "isnotnull": 1, "lower": 1, "mvfind": 2, "mvjoin": 2, "true": 0}

var (
	evalString = regexp.MustCompile(`"[^"\\]*"`)
	evalField  = regexp.MustCompile(`'([^']+)'`)
	evalCall   = regexp.MustCompile(`([a-z]+)\(([^()]*)\)`)
	evalValue  = regexp.MustCompile(`^(S|F|V)(=(S|F|V))?$`)
)

// wantEval reduces an expression from the inside: what is left must be one value.
func wantEval(t *testing.T, key, expression string) {
	t.Helper()
	rest := evalString.ReplaceAllString(expression, "S")
	rest = evalField.ReplaceAllStringFunc(rest, func(f string) string {
		wantSplunkField(t, key, strings.Trim(f, "'"))
		return "F"
	})
	for evalCall.MatchString(rest) {
		rest = evalCall.ReplaceAllStringFunc(rest, func(call string) string {
			m := evalCall.FindStringSubmatch(call)
			var args []string
			if m[2] != "" {
				args = strings.Split(m[2], ", ")
			}
			least, known := evalFunctions[m[1]]
			if !known || len(args) < least || m[1] == "case" && len(args)%2 != 0 || m[1] == "if" && len(args) != 3 {
				t.Errorf("%s: %s with %d arguments", key, m[1], len(args))
			}
			for _, a := range args {
				if !evalValue.MatchString(a) {
					t.Errorf("%s: argument %q", key, a)
				}
			}
			return "V"
		})
	}
	if !evalValue.MatchString(rest) {
		t.Errorf("%s: %q is no expression: %q is left of it", key, expression, rest)
	}
}

// wantSplunkField wants a field of ECS, with {} where it is a list.
func wantSplunkField(t *testing.T, where, name string) {
	t.Helper()
	field, isList := strings.CutSuffix(name, "{}")
	if fieldsOfECS(t)[field] == "" {
		t.Errorf("%s: no record has %s", where, field)
	}
	if slices.Contains([]string{"event.category", "event.type", "related.ip", "related.user", "zitadel.details", "zitadel.factors", "zitadel.users", "user.roles", "user.target.roles"}, field) != isList {
		t.Errorf("%s: %s and its {}", where, name)
	}
}

// wantSeverities wants the numbers that ECS records have.
func wantSeverities(t *testing.T, file string) {
	t.Helper()
	data, err := os.ReadFile("splunk/zitadel/lookups/" + file)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, row := range rows {
		codes = append(codes, row[0])
	}
	if !slices.Equal(codes, []string{"code", "1", "3", "5", "8", "10"}) {
		t.Errorf("%s: %q", file, codes)
	}
}
