package zitadeltest

import (
	"bufio"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
)

// exchange is one recorded request and its answer.
type exchange struct {
	Name    string `json:"name"`
	Note    string `json:"note"`
	Request struct {
		Method  string            `json:"method"`
		Path    string            `json:"path"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	} `json:"request"`
	Response struct {
		Status  int               `json:"status"` // 0: no connection
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	} `json:"response"`
}

func readExchanges(t *testing.T, name string) []exchange {
	t.Helper()
	return readLines[exchange](t, name)
}

func readLines[T any](t *testing.T, name string) []T {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []T
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var v T
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, v)
	}
	if lines.Err() != nil || len(all) == 0 {
		t.Fatalf("%s: %d lines, %v", name, len(all), lines.Err())
	}
	return all
}

// date is when the answer was given, to the second.
func (e *exchange) date(t *testing.T) time.Time {
	t.Helper()
	if e.Response.Headers["Date"] == "" {
		return time.Time{}
	}
	d, err := http.ParseTime(e.Response.Headers["Date"])
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// laterEvents are those that the recorded server wrote after Recorded.
func laterEvents(t *testing.T) []*eventpb.Event {
	t.Helper()
	f, err := os.Open("testdata/events-grpc-after-2881.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	events, err := decodeEvents(f)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// live is a real ZITADEL to ask instead of the fake server, or nil.
func live() *target {
	if os.Getenv("ZITADEL_URL") == "" {
		return nil
	}
	return &target{url: strings.TrimRight(os.Getenv("ZITADEL_URL"), "/"), token: os.Getenv("ZITADEL_TOKEN")}
}

// target is the server that is asked.
type target struct {
	url, token string
	host       string // Host header, empty for that of url
}

type answer struct {
	status int // 0: no answer
	header http.Header
	body   string
}

func (g target) ask(t *testing.T, e exchange) answer {
	t.Helper()
	// The recording shows bytes that are no UTF-8 as U+FFFD.
	body := strings.ReplaceAll(e.Request.Body, "\ufffd", "\xff")
	req, err := http.NewRequestWithContext(t.Context(), e.Request.Method, g.url+e.Request.Path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = g.host
	for k, v := range e.Request.Headers {
		if k == "Host" {
			req.Host = v
			continue
		}
		// Tokens were cut when they were recorded; "eyJhbGciOiJ" begins a real one.
		v = strings.Replace(v, "eyJhbGciOiJ…", g.token, 1)
		req.Header.Set(k, strings.TrimSuffix(v, "…"))
	}
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return answer{}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: string(b)}
}

// recordedInto returns a server that knows the recorded host and whose clock
// is the recorded one.
func recordedInto(t *testing.T, store *Store, e exchange) (*Server, target) {
	t.Helper()
	srv := start(t, store, Options{
		Hosts: []string{"localhost"},
		Now:   func() time.Time { return e.date(t) },
	})
	return srv, target{url: srv.URL(), token: srv.Token(), host: "localhost:18080"}
}

// The semantics were recorded when the store held exactly the 2,881 events, so
// that every answer is known to the byte, and of large ones the length.
func TestContractSemantics(t *testing.T) {
	store := recordedStore()
	for _, e := range readExchanges(t, "events-rest-semantics.jsonl") {
		t.Run(e.Name, func(t *testing.T) {
			if real := live(); real != nil {
				requireLive(t, e, real.ask(t, e))
				return
			}
			_, g := recordedInto(t, store, e)
			got := g.ask(t, e)
			requireStatus(t, e, got)
			requireHeaders(t, e, got)
			requireBody(t, e, got)
		})
	}
}

// scenes put the server into the state in which an error was recorded. The
// others are of a healthy server with the recorded role.
var scenes = map[string]func(*Server) (token string){
	"005-tampered-token":    func(s *Server) string { return s.Token() + "x" },
	"007-no-permission":     as(NoRole),
	"008-org-owner-only":    as(OrgOwner),
	"009-org-owner-own-org": as(OrgOwner),
	"010-iam-owner-viewer":  as(Viewer),
	"012-pat-removed": func(s *Server) string {
		s.AddToken("removed", Viewer, time.Time{})
		s.RemoveToken("removed")
		return "removed"
	},
	"013-pat-expired": func(s *Server) string {
		s.AddToken("expired", Viewer, s.now().Add(-time.Second))
		return "expired"
	},
	"014-user-deactivated": func(*Server) string { return "of a deactivated user" },
	"015-user-locked":      func(*Server) string { return "of a locked user" },

	"101-audit-log-retention-120s":          with(Faults{Retention: 120 * time.Second}),
	"102-audit-log-retention-120s-from-old": with(Faults{Retention: 120 * time.Second}),
	"104-instance-blocked":                  with(Faults{Blocked: true}),
	"118-quota-exhausted-no-token":          with(Faults{QuotaOn: true}),
	"211-big-page-over-10MiB":               withBig(1 << 20),
	"301-db-down":                           with(Faults{DatabaseDown: true}),
	"302-db-down-2":                         with(Faults{DatabaseDown: true}),
	"305-server-down":                       func(s *Server) string { s.Stop(); return s.Token() },
	"400-startup-sequence":                  with(Faults{Starting: true}),
}

func as(role Role) func(*Server) string {
	return func(s *Server) string {
		s.AddToken("pat", role, time.Time{})
		return "pat"
	}
}

func with(f Faults) func(*Server) string {
	return func(s *Server) string {
		s.SetFaults(f)
		return s.Token()
	}
}

// withBig appends 13 events of size bytes each, as the recording did.
func withBig(size int) func(*Server) string {
	return func(s *Server) string {
		for range 13 {
			s.Store().Append(Event{
				AggregateType: "user", AggregateID: "big", Type: "user.metadata.set", CreatedAt: s.now(),
				Payload: mustStruct(map[string]any{"value": strings.Repeat("v", size)}),
			})
		}
		return s.Token()
	}
}

// storeUnknown are answers whose events were written after the last ones that
// were recorded in full: of these, status and headers are compared.
var storeUnknown = []string{"201-big-page-~5MB", "212-big-page-over-10MiB-limit10", "303-db-back"}

func TestContractErrors(t *testing.T) {
	events := RecordedEvents(time.Time{})
	for _, e := range FromProto(laterEvents(t)...) {
		e.encode()
		events = append(events, e)
	}
	var quota *Server
	for _, e := range readExchanges(t, "events-rest-errors.jsonl") {
		t.Run(e.Name, func(t *testing.T) {
			if real := live(); real != nil {
				requireLive(t, e, real.ask(t, e))
				return
			}
			if strings.Contains(e.Name, "-quota5-") {
				// Twelve requests in a row on one server, of which the quota allows five.
				if quota == nil {
					quota = NewServer(NewStore(), Options{})
					quota.SetFaults(Faults{QuotaOn: true, QuotaLeft: 5})
				}
			}
			got := askAsRecorded(t, e, events, quota)
			requireStatus(t, e, got)
			requireHeaders(t, e, got)
		})
	}
}

// askAsRecorded asks e of a store as it was then. The date of an answer is known
// to the second: of the states that the store had in it, one must give the
// recorded answer.
func askAsRecorded(t *testing.T, e exchange, events []Event, quota *Server) answer {
	t.Helper()
	ask := func(n int) (*Server, answer) {
		store := NewStore()
		store.Append(events[:n]...)
		srv, g := recordedInto(t, store, e)
		if scene, ok := scenes[e.Name]; ok {
			g.token = scene(srv)
		}
		if strings.Contains(e.Name, "-quota5-") {
			srv.SetFaults(quota.Faults())
		}
		got := g.ask(t, e)
		if strings.Contains(e.Name, "-quota5-") {
			quota.SetFaults(srv.Faults())
		}
		return srv, got
	}
	if e.Response.Status != http.StatusOK || slices.Contains(storeUnknown, e.Name) {
		_, got := ask(len(events))
		if e.Response.Status != http.StatusOK {
			requireBody(t, e, got)
		}
		return got
	}

	second := e.date(t)
	earliest, _ := slices.BinarySearchFunc(events, second, byDate)
	latest, _ := slices.BinarySearchFunc(events, second.Add(time.Second), byDate)
	left := 0
	if quota != nil {
		left = quota.Faults().QuotaLeft
	}
	for n := earliest; ; n++ {
		if quota != nil {
			quota.Update(func(f *Faults) { f.QuotaLeft = left })
		}
		srv, got := ask(n)
		if n == latest || normalJSON(got.body) == normalJSON(e.Response.Body) {
			requireBody(t, e, got)
			return got
		}
		srv.Stop()
	}
}

func byDate(e Event, t time.Time) int { return e.CreatedAt.Compare(t) }

func requireStatus(t *testing.T, e exchange, got answer) {
	t.Helper()
	if got.status != e.Response.Status {
		t.Fatalf("status %d, recorded %d; body %.300s", got.status, e.Response.Status, got.body)
	}
}

// requireHeaders compares all recorded headers, times included: the server's
// clock was set to them.
func requireHeaders(t *testing.T, e exchange, got answer) {
	t.Helper()
	have := map[string]string{}
	for k, v := range got.header {
		have[k] = strings.Join(v, ", ")
	}
	for _, k := range []string{"Content-Length", "X-Request-Id"} {
		delete(have, k)
	}
	if len(e.Response.Headers) == 0 { // the start-up was recorded without
		return
	}
	want := maps.Clone(e.Response.Headers)
	if expires, err := http.ParseTime(want["Expires"]); err == nil && expires.Add(time.Second).Equal(e.date(t)) {
		want["Expires"] = want["Date"] // the second ended while the server answered
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("headers (-recorded +got):\n%s", diff)
	}
}

var (
	notStored   = regexp.MustCompile(`^<(\d+) bytes, not stored>$`)
	messageSize = regexp.MustCompile(`max \(\d+ vs`)
)

// requireBody compares bytes, up to what protobuf's JSON leaves to chance: white
// space. Of bodies that were not stored the length is compared.
func requireBody(t *testing.T, e exchange, got answer) {
	t.Helper()
	have, want := normalJSON(got.body), e.Response.Body
	if m := notStored.FindStringSubmatch(want); m != nil {
		if n, _ := strconv.Atoi(m[1]); n != len(have) {
			t.Errorf("body of %d bytes, recorded %d", len(have), n)
		}
		return
	}
	want = normalJSON(want)
	have, want = messageSize.ReplaceAllString(have, "max (N vs"), messageSize.ReplaceAllString(want, "max (N vs")
	if have != want {
		t.Errorf("body (-recorded +got):\n%s", cmp.Diff(want, have))
	}
}

// normalJSON has one space after each comma and none elsewhere, as the recorded
// bodies, and no U+00A0, which protobuf puts into errors to keep users from
// matching them.
func normalJSON(s string) string {
	out := make([]byte, 0, len(s)+len(s)/16)
	inString := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case inString && c == '\\' && i+1 < len(s):
			out = append(out, c)
			i++
			c = s[i]
		case c == '"':
			inString = !inString
		case !inString && c == ' ':
			continue
		case !inString && c == ',':
			out = append(out, ", "...)
			continue
		}
		out = append(out, c)
	}
	return strings.ReplaceAll(string(out), "proto:\u00a0", "proto: ")
}

// needsSetUp are recordings that a real server answers only after an operator
// has prepared users, limits, large events or an outage.
var needsSetUp = regexp.MustCompile(`^(00[5-9]|01[0-7]|1\d\d|2\d\d|3\d\d|400)-.*(token|permission|owner|pat|user|host|retention|block|quota|big|db|server|startup)`)

// requireLive compares what does not depend on what the store holds.
func requireLive(t *testing.T, e exchange, got answer) {
	t.Helper()
	if needsSetUp.MatchString(e.Name) {
		t.Skip("needs users, limits or faults that a real server has to be set up with")
	}
	requireStatus(t, e, got)
	if e.Response.Status != http.StatusOK {
		requireBody(t, e, got)
		return
	}
	var page struct{ Events []json.RawMessage }
	if err := json.Unmarshal([]byte(got.body), &page); err != nil {
		t.Fatalf("%v in %.200s", err, got.body)
	}
	if len(page.Events) > maxLimit {
		t.Errorf("%d events in a page", len(page.Events))
	}
}

// Over gRPC code, message and details are the recorded ones.
func TestContractGRPCErrors(t *testing.T) {
	if live() != nil {
		t.Skip("against a real server the REST contract is asked")
	}
	for _, e := range readLines[grpcError](t, "events-grpc-errors.jsonl") {
		t.Run(e.Name, func(t *testing.T) { e.replay(t) })
	}
}

// The four requests that read 4,000 events give the recorded 4,000.
func TestContractGRPCPages(t *testing.T) {
	later := laterEvents(t)
	store := recordedStore()
	store.Append(FromProto(later...)...)
	srv := start(t, store, Options{})
	client, ctx := rpc(t, srv)
	var got []*eventpb.Event
	for _, req := range grpcPageRequests(t) {
		resp, err := client.ListEvents(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, resp.GetEvents()...)
	}
	requireEvents(t, append(recorded(), later...), got)
	if len(got) != 4000 {
		t.Errorf("%d events, recorded 4000", len(got))
	}
}
