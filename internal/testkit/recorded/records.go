package recorded

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
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

	"github.com/zitadel/zitadel-go/v3/pkg/actions"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact/payload"
	"github.com/zitadel-siem/zitadel-siem/internal/webhook"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// Instance is the name of the instance in all records.
const Instance = "demo"

// Records returns the 2,881 events of a real ZITADEL, oldest first and redacted, as the
// Events API gives them. They are copies.
func Records(readAt time.Time) (all []*record.Event) {
	for _, e := range zitadeltest.Recorded() {
		r := events.FromEvent(e, Instance, readAt)
		payload.Record(&r)
		all = append(all, &r)
	}
	return all
}

// Lines returns the records of all recorded lines of a log, of every kind.
func Lines(tb testing.TB, readAt time.Time) (all []*parser.Record) {
	tb.Helper()
	p := parser.New(parser.Options{Kinds: parser.AllKinds, Raw: true})
	paths := append(glob(tb, "parser/testdata/recorded/*.stderr*", 90), glob(tb, "parser/testdata/requests/format-*.stderr.gz", 3)...)
	for i, path := range paths {
		join := parser.NewJoiner() // as the output plugin joins requests
		join.Begin(uint64(i))
		for line := range bytes.Lines(read(tb, path)) {
			if r := new(parser.Record); p.Parse(line, r) {
				r.Read = readAt
				switch r.Kind {
				case parser.Access:
					join.Access(uint64(i), r, parser.Place{})
				case parser.Served:
					join.Served(uint64(i), r)
				}
				all = append(all, r)
			}
		}
	}
	return all
}

// Pushed are the records of webhooks.
type Pushed struct {
	Events []*record.Event  // 89 of them
	Calls  []*record.Event  // 11 requests, responses and functions, with their bodies
	Logins []*parser.Record // of the twin of post_auth_log
}

// Webhooks returns the records of the recorded requests, which the endpoint has received.
// They are redacted, and the same in each run.
func Webhooks(tb testing.TB, readAt time.Time) (p Pushed) {
	tb.Helper()
	for _, entry := range receive(tb) {
		m, err := webhook.Decode(entry)
		if err != nil {
			tb.Fatal(err)
		}
		switch m := m.(type) {
		case *webhook.Event:
			r := events.FromEvent(m.Event, Instance, readAt)
			r.Source = webhook.Source
			p.Events = append(p.Events, &r)
		case *webhook.Execution:
			// The id and the times come from the signature, which is new in each run.
			r := m.Record(Instance)
			r.AggregateID, r.Time, r.Read = "d93a68d29d3a7ee347d458588ffd8933", readAt.Add(-time.Second), readAt
			p.Calls = append(p.Calls, &r)
		case *webhook.Login:
			p.Logins = append(p.Logins, &m.Record)
		default:
			tb.Fatalf("a webhook became a %T", m)
		}
	}
	for _, r := range slices.Concat(p.Events, p.Calls) {
		payload.Record(r)
	}
	if len(p.Events) != 89 || len(p.Calls) != 11 {
		tb.Fatalf("the recorded webhooks are %d events and %d calls, want 89 and 11", len(p.Events), len(p.Calls))
	}
	return p
}

const recordedWebhooks = "internal/webhook/testdata/actions-v2/*.http"

// Bodies returns the JSON of the recorded webhooks, as ZITADEL sent it. One is a signed token.
func Bodies(tb testing.TB) (all [][]byte) {
	tb.Helper()
	for _, path := range glob(tb, recordedWebhooks, 101) {
		_, body, found := bytes.Cut(read(tb, path), []byte("\r\n\r\n"))
		if !found {
			tb.Fatalf("%s has no body", path)
		}
		if token := bytes.Split(body, []byte(".")); body[0] != '{' {
			var err error
			if body, err = base64.RawURLEncoding.DecodeString(string(token[1])); err != nil {
				tb.Fatalf("%s: %v", path, err)
			}
		}
		all = append(all, body)
	}
	return all
}

// receive sends the recorded requests to an endpoint, and returns what it put into its spool.
func receive(tb testing.TB) [][]byte {
	tb.Helper()
	keys := tb.TempDir()
	for _, path := range glob(tb, "internal/webhook/testdata/keys/*", 5) {
		if err := os.WriteFile(filepath.Join(keys, filepath.Base(path)), read(tb, path), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	jwks := read(tb, file(tb, "internal/webhook/testdata/jwks.json"))
	zitadel := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(jwks) }))
	defer zitadel.Close()
	address, err := url.Parse(zitadel.URL)
	if err != nil {
		tb.Fatal(err)
	}
	s := &spool{}
	settings := config.Settings{URL: address, RequestTimeout: time.Minute, Listen: config.ListenSettings{KeysDir: keys, Bodies: true}}
	e, err := webhook.New(settings, s, slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	now, signed := time.Now(), map[string]time.Time{}
	for _, path := range glob(tb, recordedWebhooks, 101) {
		req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(read(tb, path))))
		if err != nil {
			tb.Fatal(path, err)
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			tb.Fatal(path, err)
		}
		target, _, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")
		key := strings.TrimSpace(string(read(tb, filepath.Join(keys, target))))
		r := httptest.NewRequest(http.MethodPost, req.URL.Path, bytes.NewReader(body))
		r.Header = req.Header
		answer := httptest.NewRecorder()
		// The recorded signatures are older than five minutes, and each has a second of its own
		// here: equal calls of one second would be replays. The one recorded replay stays one.
		was := req.Header.Get(webhook.SignatureHeader)
		if signed[was].IsZero() {
			signed[was] = now.Add(-time.Duration(len(signed)) * time.Second)
		}
		r.Header.Set(webhook.SignatureHeader, actions.ComputeSignatureHeader(signed[was], body, key))
		if e.ServeHTTP(answer, r); answer.Code != http.StatusOK {
			tb.Fatalf("%s: %d %s", path, answer.Code, answer.Body)
		}
	}
	return s.entries
}

type spool struct{ entries [][]byte }

func (s *spool) Append(_ context.Context, entries ...[]byte) error {
	for _, e := range entries {
		s.entries = append(s.entries, slices.Clone(e))
	}
	return nil
}

func glob(tb testing.TB, pattern string, atLeast int) []string {
	tb.Helper()
	paths, err := filepath.Glob(file(tb, pattern))
	if err != nil || len(paths) < atLeast {
		tb.Fatalf("%s: %d files, want %d (%v)", pattern, len(paths), atLeast, err)
	}
	return paths
}

// read returns what a file holds, which may be compressed.
func read(tb testing.TB, path string) []byte {
	tb.Helper()
	if strings.HasSuffix(path, ".gz") {
		return Unzip(tb, path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
