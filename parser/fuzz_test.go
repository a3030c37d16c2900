package parser_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/parser"
)

// FuzzParse: no line panics, and whatever comes out is whole. A line tells the same bare and
// in a container runtime's wrapping.
func FuzzParse(f *testing.F) {
	for _, line := range recordedOfficial(f) {
		f.Add(line)
	}
	for _, form := range formats {
		for _, w := range wrappings {
			f.Add(plainAttempt().line(form, w))
			f.Add(logOf(form, w, ownMessage("success", map[string]string{"user_name": "a", "remote_addr": "b"}, []string{"user_name"})))
		}
	}
	for _, piece := range pieces {
		f.Add([]byte(piece))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		r := parse(t, line)
		checkOutput(t, r, len(line))
		if again := parse(t, line); string(parser.AppendJSON(nil, r)) != string(parser.AppendJSON(nil, again)) {
			t.Fatal("the same line tells another thing the second time")
		}
		if r.Kind == parser.Other || bytes.ContainsAny(line, "\n\r") || len(line) > parser.MaxLine/8 || !bytes.Equal(line, bytes.ToValidUTF8(line, nil)) || isWrapped(line) {
			return
		}
		for _, w := range wrappings[3:] {
			wrapped := parse(t, w.wrap(line))
			if bare, got := comparable(r), comparable(wrapped); bare != got {
				t.Fatalf("%s\nbare    %s\nwrapped %s", w.name, bare, got)
			}
		}
	})
}

// isWrapped: a wrapping in a wrapping is taken off once.
func isWrapped(line []byte) bool {
	return bytes.HasPrefix(line, []byte(`{"log"`)) || bytes.Contains(line[:min(len(line), 60)], []byte(" std"))
}

// comparable is a record but for its raw line, which holds the wrapping.
func comparable(r *parser.Record) string {
	c := *r
	c.Raw = ""
	return string(parser.AppendJSON(nil, &c))
}

// FuzzScrub: twice is once, and where the text is official, nothing of the
// form or of the cookies stays, wherever it was cut.
func FuzzScrub(f *testing.F) {
	f.Add("alice", "Passw0rd!x", uint16(0), uint8(0))
	f.Add(`"form":{"a":"`, `"}}`, uint16(0), uint8(1))
	f.Add(`x\`, `\"]},"`, uint16(900), uint8(11))
	for i, piece := range pieces {
		f.Add(piece, pieces[len(pieces)-1-i], uint16(i*20), uint8(i))
	}
	f.Fuzz(func(t *testing.T, name, typed string, end uint16, form uint8) {
		if len(name)+len(typed) > 8000 {
			return
		}
		once := parser.Scrub(nil, []byte(name+typed))
		if twice := parser.Scrub(nil, once); !bytes.Equal(once, twice) {
			t.Fatalf("scrubbed once %q, twice %q", once, twice)
		}
		a := plainAttempt()
		a.user = clean(name)
		secret := secretSign + clean(typed) + secretSign
		a.form = []header{{"loginName", []string{a.user}}, {"password", []string{secret}}, {clean(name), []string{secret}}}
		a.post = a.form
		a.headers = append(a.headers, header{"Cookie", []string{"zitadel.useragent=" + secretSign}})
		line := a.line(formats[int(form%32)%len(formats)], wrappings[int(form/32)%len(wrappings)])
		if int(end) < len(line) {
			line = line[:len(line)-int(end)]
		}
		if out := string(parser.Scrub(nil, line)); strings.Contains(out, secretSign) {
			t.Fatalf("a secret stays in %q", out)
		}
	})
}
