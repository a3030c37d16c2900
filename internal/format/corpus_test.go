package format_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact/payload"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

var readAt = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func readFile(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	if !strings.HasSuffix(name, ".gz") {
		return b
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		tb.Fatal(err)
	}
	if b, err = io.ReadAll(z); err != nil {
		tb.Fatal(err)
	}
	return b
}

// recordedEvents are a real ZITADEL's, redacted. They are copies.
func recordedEvents(tb testing.TB) (all []*record.Event) {
	tb.Helper()
	for _, e := range zitadeltest.Recorded() {
		r := events.FromEvent(e, "demo", readAt)
		payload.Record(&r)
		all = append(all, &r)
	}
	return all
}

// clone copies what an encoder with pseudonyms changes.
func clone(e *record.Event) *record.Event {
	c := *e
	if c.Payload != nil {
		c.Payload = proto.CloneOf(c.Payload)
	}
	return &c
}

// recordedLines are the records of all recorded lines, of every kind.
func recordedLines(tb testing.TB) (all []*parser.Record) {
	tb.Helper()
	names, err := filepath.Glob("../../parser/testdata/recorded/*.stderr*")
	if err != nil || len(names) < 90 {
		tb.Fatal(len(names), err)
	}
	p := parser.New(parser.Options{Kinds: parser.AllKinds, Raw: true})
	for _, name := range names {
		for line := range bytes.Lines(readFile(tb, name)) {
			r := new(parser.Record)
			if p.Parse(line, r) {
				r.Read = readAt
				all = append(all, r)
			}
		}
	}
	return all
}

// personalPaths are the personal keys of every type, by the catalogue.
func personalPaths(tb testing.TB) map[string]map[string]bool {
	tb.Helper()
	var types []struct {
		Type string
		Keys []struct {
			Name      string
			Sensitive any
		}
	}
	if err := json.Unmarshal(readFile(tb, "../redact/payload/testdata/events.json.gz"), &types); err != nil {
		tb.Fatal(err)
	}
	paths := map[string]map[string]bool{}
	for _, typ := range types {
		paths[typ.Type] = map[string]bool{}
		for _, k := range typ.Keys {
			if k.Sensitive == "pii" {
				paths[typ.Type][strings.ReplaceAll(k.Name, "[]", "")] = true
			}
		}
	}
	return paths
}

// texts calls f with every text of v, and its path.
func texts(v *structpb.Value, path string, f func(path, text string)) {
	switch kind := v.GetKind().(type) {
	case *structpb.Value_StructValue:
		for key, v := range kind.StructValue.GetFields() {
			texts(v, strings.TrimPrefix(path+"."+key, "."), f)
		}
	case *structpb.Value_ListValue:
		for _, v := range kind.ListValue.GetValues() {
			texts(v, path, f)
		}
	case *structpb.Value_StringValue:
		f(path, kind.StringValue)
	}
}
