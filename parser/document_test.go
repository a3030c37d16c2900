package parser_test

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/zitadel-siem/zitadel-siem/parser"
	"pgregory.net/rapid"
)

// The document and the line give one record, whatever the values hold; what the line's
// parser takes for another script's text is no document.
func TestDocumentAndLineAreOneRecord(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := map[string]string{}
		for _, key := range rapid.SliceOfDistinct(rapid.SampledFrom(ownKeys), rapid.ID[string]).Draw(t, "keys") {
			values[key] = hostileText(3).Draw(t, key)
		}
		doc := ownMessage(rapid.SampledFrom([]string{"success", "failure", "unknown", "won"}).Draw(t, "outcome"), values, rapid.SliceOfNDistinct(rapid.SampledFrom(ownKeys), 0, 3, rapid.ID[string]).Draw(t, "cut"))
		if rapid.Bool().Draw(t, "spoil") {
			at := rapid.IntRange(0, len(doc)-1).Draw(t, "at")
			doc = doc[:at] + rapid.SampledFrom([]string{"", `"`, "x", `,"user_id":"1"`, "}"}).Draw(t, "by") + doc[at+1:]
		}
		if len(doc) > 2000 || !utf8.ValidString(doc) {
			return // ZITADEL cuts such a line, or mends it
		}
		line := parse(t, logOf(formats[0], wrappings[0], doc))
		var r parser.Record
		ok := parser.New(parser.Options{}).ParseDocument([]byte(doc), &r)
		if want := line.Format == parser.FormatPostAuthLog; ok != want {
			t.Fatalf("%v, and the line %v: %s", ok, want, doc)
		}
		if !ok {
			return
		}
		if diff := cmp.Diff(line, &r, cmpopts.IgnoreUnexported(parser.Record{}), cmpopts.IgnoreFields(parser.Record{}, "Time", "Instance")); diff != "" {
			t.Fatal(diff)
		}
		if line.EventType() != r.EventType() {
			t.Fatal(r.EventType())
		}
		var again parser.Record
		if doc := parser.AppendDocument(nil, &r); !parser.New(parser.Options{}).ParseDocument(doc, &again) || !reflect.DeepEqual(r, again) {
			t.Fatalf("%s is read as %+v, not %+v", doc, again, r)
		}
		r.Time, r.Instance = line.Time, line.Instance
		if r.ID() != line.ID() {
			t.Fatalf("ids %s and %s", r.ID(), line.ID())
		}
	})
}

func TestDocumentOfAnotherKind(t *testing.T) {
	t.Parallel()
	for _, doc := range []string{"", "{}", "null", "[1]", `{"post_auth_log":2,"outcome":"success"}`, strings.Repeat(`{"post_auth_log":1,"outcome":"success"`, 99), `{"post_auth_log":1,"outcome":"success"}{}`} {
		r := parser.Record{Message: "kept"}
		if parser.New(parser.Options{}).ParseDocument([]byte(doc), &r) || r.Message != "kept" {
			t.Errorf("%q: %+v", doc, r)
		}
	}
	var r parser.Record
	if !parser.New(parser.Options{Instance: "demo"}).ParseDocument([]byte(`{"post_auth_log":1,"outcome":"success"}`+"\n"), &r) || r.Instance != "demo" {
		t.Errorf("%+v", r)
	}
}
