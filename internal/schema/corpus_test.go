package schema_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel/zitadel-go/v3/pkg/actions"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact/payload"
	"github.com/zitadel-siem/zitadel-siem/internal/webhook"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

var readAt = time.Date(2026, 11, 22, 10, 0, 0, 123456789, time.UTC)

// What is read once for all tests: nothing changes it.
var (
	recordedEventsOnce []record.Event
	recordedLinesOnce  []parser.Record
	payloadKeysOnce    map[string][]eventKey
)

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

func glob(tb testing.TB, pattern string, atLeast int) []string {
	tb.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) < atLeast {
		tb.Fatalf("%s: %d files, want %d (%v)", pattern, len(names), atLeast, err)
	}
	return names
}

// recordedEvents are those of the recorded pages, redacted as the pipe does.
func recordedEvents(tb testing.TB) (all []record.Event) {
	tb.Helper()
	if recordedEventsOnce != nil {
		return recordedEventsOnce
	}
	defer func() { recordedEventsOnce = all }()
	for _, name := range glob(tb, "../record/testdata/*.json.gz", 3) { // the others hold the same events
		var page admin.ListEventsResponse
		if err := protojson.Unmarshal(readFile(tb, name), &page); err != nil {
			tb.Fatal(name, err)
		}
		for _, e := range page.GetEvents() {
			r := events.FromEvent(e, "demo", readAt)
			payload.Record(&r)
			all = append(all, r)
		}
	}
	if len(all) != 2881 {
		tb.Fatal(len(all))
	}
	return all
}

// recordedLines are the records of all recorded lines, of every kind.
func recordedLines(tb testing.TB) (all []parser.Record) {
	tb.Helper()
	if recordedLinesOnce != nil {
		return recordedLinesOnce
	}
	defer func() { recordedLinesOnce = all }()
	p := parser.New(parser.Options{Kinds: parser.AllKinds, Raw: true})
	for _, name := range glob(tb, "../../parser/testdata/recorded/*.stderr*", 90) {
		for line := range bytes.Lines(readFile(tb, name)) {
			var r parser.Record
			if p.Parse(line, &r) {
				r.Read = readAt
				all = append(all, r)
			}
		}
	}
	return all
}

type spool struct{ entries [][]byte }

func (s *spool) Append(_ context.Context, entries ...[]byte) error {
	for _, e := range entries {
		s.entries = append(s.entries, slices.Clone(e))
	}
	return nil
}

// recordedWebhooks are the records of the recorded requests, bodies included.
func recordedWebhooks(tb testing.TB) (all []record.Event, logins []parser.Record) {
	tb.Helper()
	keys := tb.TempDir()
	if err := os.CopyFS(keys, os.DirFS("../webhook/testdata/keys")); err != nil {
		tb.Fatal(err)
	}
	for _, path := range glob(tb, filepath.Join(keys, "*"), 5) {
		if err := os.Chmod(path, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	s := &spool{}
	e, err := webhook.New(config.Settings{URL: &url.URL{Scheme: "http", Host: "127.0.0.1:1"}, Listen: config.ListenSettings{KeysDir: keys, Bodies: true}}, s, slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	for _, name := range glob(tb, "../webhook/testdata/actions-v2/*.http", 101) {
		req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(readFile(tb, name))))
		if err != nil {
			tb.Fatal(name, err)
		}
		body, _ := io.ReadAll(req.Body)
		target, _, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")
		key := strings.TrimSpace(string(readFile(tb, filepath.Join(keys, target))))
		r := httptest.NewRequest(http.MethodPost, req.URL.Path, bytes.NewReader(body))
		r.Header = req.Header
		// The recorded signatures are older than five minutes.
		r.Header.Set(webhook.SignatureHeader, actions.ComputeSignatureHeader(time.Now(), body, key))
		e.ServeHTTP(httptest.NewRecorder(), r)
	}
	for _, entry := range s.entries {
		m, err := webhook.Decode(entry)
		if err != nil {
			tb.Fatal(err)
		}
		switch m := m.(type) {
		case *webhook.Event:
			all = append(all, events.FromEvent(m.Event, "demo", readAt))
		case *webhook.Execution:
			// The id and the times come from the signature, which is new in each run.
			r := m.Record("demo")
			r.AggregateID, r.Time, r.Read = "d93a68d29d3a7ee347d458588ffd8933", readAt.Add(-time.Second), readAt
			all = append(all, r)
		case *webhook.Login:
			logins = append(logins, m.Record)
		}
	}
	if len(all) < 90 {
		tb.Fatalf("only %d recorded webhooks", len(all))
	}
	for i := range all {
		payload.Record(&all[i])
	}
	return all, logins
}

// eventKey is a key of a payload, as ZITADEL's source has it.
type eventKey struct {
	Name   string
	GoType string `json:"go_type"`
}

// payloadKeys are the keys of the payloads by type.
func payloadKeys(tb testing.TB) map[string][]eventKey {
	tb.Helper()
	if payloadKeysOnce != nil {
		return payloadKeysOnce
	}
	var catalogue []struct {
		Type string
		Keys []eventKey
	}
	if err := json.Unmarshal(readFile(tb, "../redact/payload/testdata/events.json.gz"), &catalogue); err != nil {
		tb.Fatal(err)
	}
	m := map[string][]eventKey{}
	for _, e := range catalogue {
		m[e.Type] = e.Keys
	}
	if len(m) != 560 {
		tb.Fatal(len(m))
	}
	payloadKeysOnce = m
	return m
}

// synthetic makes an event of a type with all the keys that its payload may have.
func synthetic(typ string, keys []eventKey) record.Event {
	top := map[string]any{}
	for _, k := range keys {
		m, path := top, strings.Split(strings.ReplaceAll(k.Name, "[]", ""), ".")
		for _, p := range path[:len(path)-1] {
			next, ok := m[p].(map[string]any)
			if !ok {
				next = map[string]any{}
				m[p] = next
			}
			m = next
		}
		m[path[len(path)-1]] = sample(k)
	}
	fields, err := structpb.NewStruct(top)
	if err != nil {
		panic(typ + ": " + err.Error())
	}
	aggregate, _, _ := strings.Cut(typ, ".")
	switch {
	case strings.HasPrefix(typ, "user.grant."):
		aggregate = "usergrant"
	case aggregate == "schemauser":
		aggregate = "user"
	}
	r := record.Event{
		Key:  record.Key{Instance: "demo", AggregateType: aggregate, AggregateID: "400712689875160102", Sequence: 7},
		Time: readAt.Add(-time.Minute), Read: readAt, Type: typ, ResourceOwner: "400712683113942054",
		Editor: record.Editor{ID: "400712317102787622", Name: "Minnie Mouse", Service: "zitadel"}, Payload: fields, Source: record.SourceEventsAPI,
	}
	payload.Record(&r)
	return r
}

func sample(k eventKey) any {
	last := k.Name[strings.LastIndexByte(k.Name, '.')+1:]
	switch t := strings.TrimPrefix(k.GoType, "*"); {
	case t == "bool" || strings.HasSuffix(t, ".Boolean"):
		return true
	case strings.HasPrefix(t, "[]domain.UserAuthMethodType"):
		return []any{4.0, 1.0}
	case strings.HasPrefix(t, "[]domain.") || strings.HasPrefix(t, "[]int"):
		return []any{1.0}
	case t == "domain.TokenReason":
		return "auth_request"
	case strings.HasPrefix(t, "[]"):
		return []any{last + "-1", last + "-2"}
	case t == "net.IP":
		return "203.0.113.7"
	case strings.HasPrefix(t, "domain.") && !strings.HasPrefix(t, "domain.Encrypted"), strings.HasPrefix(t, "int"), strings.HasPrefix(t, "uint"), t == "time.Duration", t == "quota.Unit":
		return 1.0
	case t == "time.Time":
		return "2026-11-22T09:00:00Z"
	}
	switch last {
	case "remoteIP", "ip":
		return "203.0.113.7"
	case "userAgent", "description":
		return "Mozilla/5.0 (X11; Linux x86_64)"
	case "email", "userName":
		return "mickey@example.com"
	case "displayName":
		return "Mickey Mouse"
	}
	return last + "-1"
}
