package parser_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tinylib/msgp/msgp"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// markers are the secrets that the recordings are known to hold by their look.
var markers = []string{"Passw0rd!x", "N3wPassw0rd!", "zitadel.useragent=", "zitadel.login.csrf=", "$2a$", "Crypted", "code=ey"}

var (
	cutPassword = regexp.MustCompile(`"(?:password|gorilla\.csrf\.Token)":\["((?:[^"\\]|\\.)*)`)
	cutCookie   = regexp.MustCompile(`zitadel\.[a-z.]+=([A-Za-z0-9_=-]+)`)
	anyCode     = regexp.MustCompile(`[?&]code=([^&"\\]+)`)
)

// recordedSecrets are the passwords, tokens, cookies and codes in the
// recordings, found by decoding them, not typed here.
func recordedSecrets(t *testing.T) (all []string) {
	t.Helper()
	seen := map[string]bool{}
	add := func(s string) {
		// The first bytes count too: what is cut is a secret still. One or two letters
		// are in any text.
		if len(s) >= 4 && !seen[s] {
			seen[s] = true
			all = append(all, s)
		}
		if len(s) > 24 && !seen[s[:24]] {
			seen[s[:24]] = true
			all = append(all, s[:24])
		}
	}
	for _, rec := range recordings(t) {
		for _, line := range rec.lines {
			ref := decodeReference(line)
			for _, m := range cutPassword.FindAllStringSubmatch(ref.message, -1) {
				var s string
				if json.Unmarshal([]byte(`"`+m[1]+`"`), &s) == nil {
					add(s)
				}
			}
			for _, m := range cutCookie.FindAllStringSubmatch(ref.message, -1) {
				add(m[1])
			}
			if ref.access != nil {
				doc, _ := json.Marshal(ref.access) // it was JSON
				for _, m := range anyCode.FindAllStringSubmatch(string(doc), -1) {
					add(m[1])
				}
			}
			if _, req := wholeRequest(ref.message); req != nil {
				for _, form := range []map[string][]string{req.Form, req.PostForm} {
					for key, values := range form {
						if key != "loginName" && key != "authRequestID" {
							add(strings.Join(values, ""))
						}
					}
				}
			}
		}
	}
	if len(all) < 100 || !seen["Passw0rd!x"] {
		t.Fatalf("only %d secrets found in the recordings: the search is blind", len(all))
	}
	return append(all, markers...)
}

// spellings are s as it stands in text that is quoted no, one, two and three times.
func spellings(s string) (all []string) {
	for range 4 {
		all = append(all, s)
		q := stringify(s)
		html, _ := json.Marshal(s) // a string
		all = append(all, strings.Trim(string(html), `"`))
		s = q[1 : len(q)-1]
	}
	return all
}

// Law 6 on every recorded line, in every output, raw or not.
func TestNoRecordedSecretLeaves(t *testing.T) {
	t.Parallel()
	secrets := recordedSecrets(t)
	var all []string
	for _, s := range secrets {
		all = append(all, spellings(s)...)
	}
	for _, raw := range []bool{false, true} {
		for _, w := range wrappings {
			if w.name != "bare" && w.name != "Docker" && w.name != "CRI" {
				continue
			}
			var out []byte
			for _, rec := range recordings(t) {
				if w.name != "bare" && strings.HasPrefix(rec.name, "mixed") {
					continue // the cases hold all its kinds
				}
				p := parser.New(parser.Options{Kinds: parser.AllKinds, Raw: raw})
				for i, line := range rec.lines {
					line = w.wrap(line)
					cuts := []int{len(line), len(line) - 3, len(line) * 9 / 10, len(line) * 2 / 3}
					if strings.HasPrefix(rec.name, "mixed") {
						cuts = cuts[i%4 : i%4+1] // the cases hold all its kinds
					}
					for _, cut := range cuts {
						var r parser.Record
						if p.Parse(line[:max(0, cut)], &r) {
							out = append(parser.AppendJSON(out, &r), '\n')
							out = parser.AppendMsgpack(out, &r, 0, nil)
							out = fmt.Appendf(out, "%+v\n", r)
						}
						if raw {
							out = append(parser.Scrub(out, line[:max(0, cut)]), '\n')
						}
						if w.name != "bare" || strings.HasPrefix(rec.name, "mixed") {
							break
						}
					}
				}
			}
			searchSecrets(t, out, all, fmt.Sprintf("raw %v, %s", raw, w.name))
		}
	}
}

// searchSecrets looks for all secrets in one pass, by their first four bytes.
func searchSecrets(t *testing.T, out []byte, secrets []string, where string) {
	t.Helper()
	byStart := map[[4]byte][]string{}
	var first [1 << 16]bool // two bytes; a look into the map is slow
	for _, s := range secrets {
		first[int(s[0])<<8|int(s[1])] = true
		if start := [4]byte([]byte(s)); !slices.Contains(byStart[start], s) {
			byStart[start] = append(byStart[start], s)
		}
	}
	found := 0
	for i := 0; i+4 <= len(out); i++ {
		if !first[int(out[i])<<8|int(out[i+1])] {
			continue
		}
		for _, s := range byStart[[4]byte(out[i:])] {
			if bytes.HasPrefix(out[i:], []byte(s)) {
				t.Errorf("%s: %q leaves: %.300q", where, s, out[max(0, i-200):min(len(out), i+100)])
				if found++; found > 5 {
					return
				}
			}
		}
	}
}

// The golden files are outputs too, and lie in the repository.
func TestGoldenFilesHoldNoSecret(t *testing.T) {
	t.Parallel()
	secrets := recordedSecrets(t)
	for _, rec := range recordings(t) {
		name := "testdata/recorded/" + strings.TrimSuffix(rec.name, ".stderr") + ".golden"
		if strings.HasPrefix(rec.name, "mixed") {
			name += ".gz"
		}
		searchSecrets(t, readFile(t, name), secrets, name)
		if t.Failed() {
			return
		}
	}
}

// decodeMsgpack returns the map of one Fluent Bit event, and fails on anything else.
func decodeMsgpack(t fataler, b []byte) map[string]any {
	t.Helper()
	n, rest, err := msgp.ReadArrayHeaderBytes(b)
	if err != nil || n != 2 {
		t.Fatalf("an event of %d: %v", n, err)
	}
	stamp := msgp.RawExtension{Type: 0, Data: make([]byte, 8)}
	if rest, err = msgp.ReadExtensionBytes(rest, &stamp); err != nil {
		t.Fatalf("event time: %v", err)
	}
	v, rest, err := msgp.ReadIntfBytes(rest)
	if err != nil || len(rest) != 0 {
		t.Fatalf("%v, %d bytes left", err, len(rest))
	}
	m, ok := v.(map[string]any)
	if !ok {
		t.Fatalf("%T is no map", v)
	}
	return m
}
