package parser_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// sent is one request to a ZITADEL: what the client chose, what ZITADEL chose, and whose it
// is. It is the oracle.
type sent struct {
	user, address, agent string
	protocol             string // grpc, connect, http
	trace                string // traceparent of the client, or ""
	begin, end           time.Time
	operation            string

	own, id string // trace id and request id that ZITADEL makes
}

// accessLine is the access record of q as ZITADEL's logger writes it.
func (q *sent) accessLine() []byte {
	headers := map[string][]string{"x-forwarded-for": {q.address}, "user-agent": {q.agent}, "x-request-id": {"c" + q.id[1:]}}
	if q.trace != "" {
		headers["traceparent"] = []string{"00-" + q.trace + "-0123456789abcdef-01"}
	}
	answer, protocol, url := map[string][]string{}, 0, q.operation
	if q.protocol == "http" {
		answer["x-request-id"], protocol = []string{q.id}, 1
	}
	record, _ := json.Marshal(map[string]any{
		"logDate": q.end.Add(-100 * time.Microsecond), "protocol": protocol, "requestUrl": url, "responseStatus": 0, "requestHeaders": headers, "responseHeaders": answer,
		"instanceId": instance, "projectId": "1", "requestedDomain": "localhost", "requestedHost": "localhost",
	})
	var b strings.Builder
	log := logrus.Logger{Out: &b, Formatter: &logrus.TextFormatter{DisableColors: true}, Level: logrus.InfoLevel}
	log.WithField("record", string(record)).Info("log record emitted")
	return []byte(b.String())
}

// servedLine is the line of the request log.
func (q *sent) servedLine() []byte {
	trace := q.own
	if q.protocol == "grpc" && q.trace != "" {
		trace = q.trace // ZITADEL's gRPC server takes over the client's trace
	}
	var b strings.Builder
	log := slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Time(slog.TimeKey, q.end)
		}
		return a
	}}))
	log.Info("request served", slog.Group("request", "id", q.id, "instance_host", "localhost", "instance_id", instance, "user_id", q.user), "TraceID", trace, "SpanID", "0123456789abcdef",
		"stream", "request", "version", "v4", "protocol", q.protocol, "service", "zitadel.admin.v1.AdminService", "http_method", "POST", "path", q.operation, codeKey(q.protocol), 0,
		"duration", q.end.Sub(q.begin))
	return []byte(b.String())
}

func codeKey(protocol string) string {
	if protocol == "http" {
		return "status"
	}
	return "code"
}

const letters = "0123456789abcdefghijklmnopqrstuv"

// world makes requests of some users and attackers, and the log of the ZITADEL that served
// them. The lines of one request keep their order, those of different ones are mixed.
func world(rng *rand.Rand, n int) (all []*sent, log []step) {
	hex := func(n int, digits string) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = digits[rng.IntN(len(digits))]
		}
		return string(b)
	}
	now := logged
	var known []string // trace ids that attackers know, before and after their requests
	for range 3 {
		known = append(known, hex(32, "0123456789abcdef"))
	}
	for i := range n {
		q := &sent{
			user: fmt.Sprintf("user-%d", rng.IntN(5)), operation: "/zitadel.admin.v1.AdminService/" + []string{"ListEvents", "AddOrg"}[rng.IntN(2)],
			protocol: []string{"grpc", "grpc", "connect", "http"}[rng.IntN(4)], own: hex(32, "0123456789abcdef"), id: hex(20, letters),
		}
		q.address, q.agent = fmt.Sprintf("198.51.100.%d", i%250), fmt.Sprintf("agent of request %d", i)
		switch rng.IntN(4) {
		case 0: // through the gateway: the trace id is ZITADEL's, nobody can know it before
			q.trace = hex(32, "0123456789abcdef")
		case 1: // an application that passes a trace on that others know, or an attacker
			q.trace = known[rng.IntN(len(known))]
		case 2: // an attacker who has seen the trace ids of requests that were answered
			if len(all) > 0 {
				if seen := all[rng.IntN(len(all))]; seen.end.Before(now) {
					q.trace = []string{seen.own, seen.trace}[rng.IntN(2)]
				}
			}
			q.agent = `x" TraceID=` + q.own + ` request.user_id=root`
		}
		now = now.Add(time.Duration(rng.IntN(3000)) * time.Microsecond)
		q.begin = now
		q.end = now.Add(time.Duration(1+rng.IntN(20000)) * time.Microsecond)
		all = append(all, q)
	}
	for _, q := range all {
		log = append(log, step{q.end.Add(-100 * time.Microsecond), q, true}, step{q.end, q, false})
	}
	slices.SortStableFunc(log, func(a, b step) int { return a.at.Compare(b.at) })
	return all, log
}

// step is one line of a log.
type step struct {
	at     time.Time
	q      *sent
	access bool
}

func (s *step) line() []byte {
	if s.access {
		return s.q.accessLine()
	}
	return s.q.servedLine()
}

// Law 7, the oracle of the join: whatever clients choose as traceparent, x-forwarded-for, user
// agent and path, no request gets the address or the agent of another one. The log may be cut
// anywhere, and its chunks may come twice.
func TestLaw7_NoRequestGetsTheHeadersOfAnother(t *testing.T) {
	t.Parallel()
	joined, served := map[parser.Join]int{}, 0
	rounds := 60
	for seed := range uint64(rounds) {
		rng := rand.New(rand.NewPCG(seed, 12))
		all, log := world(rng, 120)
		byID := map[string]*sent{}
		for _, q := range all {
			byID[q.id] = q
		}
		p, j := parser.New(parser.Options{Kinds: parser.AllKinds}), parser.NewJoiner()
		if seed%2 == 0 {
			j.Begin(1)
		} else {
			log = log[rng.IntN(20):] // the log is read from its middle on
		}
		for len(log) > 0 {
			chunk := log[:min(len(log), 1+rng.IntN(30))]
			for tries := 1 + rng.IntN(2); tries > 0; tries-- { // a chunk that is tried again
				for _, s := range chunk {
					var r parser.Record
					p.Parse(s.line(), &r)
					if s.access {
						j.Access(1, &r, parser.Place{})
						continue
					}
					j.Served(1, &r)
					served++
					joined[r.Join]++
					q := byID[r.Served.ID]
					if r.Served.UserID != q.user {
						t.Fatalf("seed %d: user %q of a request of %q", seed, r.Served.UserID, q.user)
					}
					if r.Join.Joined() && (r.Access.ForwardedFor != q.address || r.Access.UserAgent != q.agent) {
						t.Fatalf("seed %d: %v gives the request of %s at %s the address %s of another", seed, r.Join, q.user, q.address, r.Access.ForwardedFor)
					}
				}
			}
			log = log[len(chunk):]
		}
	}
	t.Logf("%d requests: %v", served, joined)
	for _, how := range []parser.Join{parser.JoinRequestID, parser.JoinTraceID, parser.JoinOnly, parser.JoinShared, parser.JoinNone} {
		if joined[how] == 0 {
			t.Errorf("no request is %q: the test is blind", how)
		}
	}
}

// Law 7: the lines of two processes with one tag come in pieces, as a tail reads its files. The
// half of a request may then be far behind older ones of the other process.
func TestLaw7_NoRequestGetsTheHeadersOfAnotherWhereFilesAlternate(t *testing.T) {
	t.Parallel()
	joined := 0
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 13))
		var files [2][]step
		byID := map[string]*sent{}
		for i := range files {
			all, log := world(rng, 60)
			now := logged
			for k, q := range all {
				now = now.Add(time.Duration(rng.IntN(60)) * time.Millisecond)
				q.begin, q.end = now, now.Add(time.Duration(1+rng.IntN(40))*time.Millisecond)
				q.trace, q.protocol, q.operation = "", "connect", "/zitadel.admin.v1.AdminService/AddOrg"
				q.address = fmt.Sprintf("203.0.%d.%d", i, k)
				byID[q.id] = q
			}
			log = log[:0]
			for _, q := range all {
				log = append(log, step{q.end.Add(-100 * time.Microsecond), q, true}, step{q.end, q, false})
			}
			slices.SortStableFunc(log, func(a, b step) int { return a.at.Compare(b.at) })
			files[i] = log
		}
		p, j := parser.New(parser.Options{Kinds: parser.AllKinds}), parser.NewJoiner()
		j.Begin(1)
		for i := 0; len(files[0])+len(files[1]) > 0; i = 1 - i {
			piece := files[i][:min(len(files[i]), 1+rng.IntN(30))]
			files[i] = files[i][len(piece):]
			for _, s := range piece {
				var r parser.Record
				if p.Parse(s.line(), &r); s.access {
					j.Access(1, &r, parser.Place{})
					continue
				}
				j.Served(1, &r)
				q := byID[r.Served.ID]
				if r.Join.Joined() {
					joined++
					if r.Access.ForwardedFor != q.address || r.Access.UserAgent != q.agent {
						t.Fatalf("seed %d: %v gives the request from %s the address %s of another", seed, r.Join, q.address, r.Access.ForwardedFor)
					}
				}
			}
		}
	}
	if joined < 100 {
		t.Errorf("%d joined: the test is blind", joined)
	}
}

// What is joined stays so when a chunk comes again, with the same ids.
func TestJoinIsTheSameWhenAChunkComesAgain(t *testing.T) {
	t.Parallel()
	_, log := world(rand.New(rand.NewPCG(1, 2)), 100)
	p, j := parser.New(parser.Options{Kinds: parser.AllKinds}), parser.NewJoiner()
	j.Begin(1)
	read := func() (out []parser.Record) {
		for _, s := range log {
			var r parser.Record
			p.Parse(s.line(), &r)
			if s.access {
				j.Access(1, &r, parser.Place{})
			} else {
				j.Served(1, &r)
				out = append(out, r)
			}
		}
		return out
	}
	first, again := read(), read()
	for i := range first {
		a, b := &first[i], &again[i]
		if a.ID() != b.ID() || a.Served != b.Served || a.Join.Joined() && b.Join.Joined() && a.Access != b.Access {
			t.Errorf("first %+v\nagain %+v", a, b)
		}
		if a.Join.Joined() && b.Join != a.Join { // what was not joined may be: by then, others have taken theirs
			t.Errorf("first %v, again %v", a.Join, b.Join)
		}
	}
}

// All recorded requests have both halves, and each has its own.
func TestRecordedRequestsAreJoined(t *testing.T) {
	t.Parallel()
	requests := 0
	for i, rec := range recordings(t) {
		if strings.Contains(rec.name, "tty") {
			continue // the access records of a terminal are not quoted
		}
		j, p := parser.NewJoiner(), everything()
		j.Begin(uint64(i))
		for n, line := range rec.lines {
			var r parser.Record
			p.Parse(line, &r)
			switch r.Kind {
			case parser.Access:
				j.Access(uint64(i), &r, parser.Place{})
			case parser.Served:
				requests++
				j.Served(uint64(i), &r)
				if !r.Join.Joined() {
					t.Errorf("%s:%d: %v", rec.name, n+1, r.Join)
				}
				if r.Served.Protocol == "grpc" && r.Access.URL != r.Served.Operation || r.Served.Protocol == "http" && !strings.Contains(r.Access.URL, r.Served.Path) {
					t.Errorf("%s:%d: %q joined with %q", rec.name, n+1, r.Served.Operation+r.Served.Path, r.Access.URL)
				}
			}
		}
	}
	if requests < 900 {
		t.Errorf("only %d requests", requests)
	}
}

// A half that was forgotten may have been the right one: then the trace id proves nothing.
func TestJoinIsNotBelievedWhereHalvesAreForgotten(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		between int // requests between the halves
		whole   bool
		want    parser.Join
	}{
		"all is known":                  {0, true, parser.JoinTraceID},
		"within the memory":             {parser.JoinRequests - 2, true, parser.JoinTraceID},
		"the log begins in the request": {0, false, parser.JoinNone},
		"forgotten":                     {parser.JoinRequests + 1, true, parser.JoinNone},
	} {
		p, j := parser.New(parser.Options{Kinds: parser.AllKinds}), parser.NewJoiner()
		if c.whole {
			j.Begin(1)
		}
		trace := strings.Repeat("a", 32)
		victim := &sent{user: "victim", address: "203.0.113.1", agent: "victim", protocol: "grpc", trace: trace, operation: "/s/m", own: trace, id: strings.Repeat("a", 20), begin: logged, end: logged.Add(time.Second)}
		evil := *victim
		evil.user, evil.address, evil.id = "evil", "198.51.100.1", strings.Repeat("b", 20)
		var r parser.Record
		feed := func(line []byte) {
			p.Parse(line, &r)
			if r.Kind == parser.Access {
				j.Access(1, &r, parser.Place{})
			} else {
				j.Served(1, &r)
			}
		}
		feed(victim.accessLine())
		for i := range c.between {
			other := *victim
			other.trace = fmt.Sprintf("%032x", i+1)
			feed(other.accessLine())
		}
		if name == "forgotten" {
			feed(evil.accessLine()) // the only one that is remembered
		}
		feed(victim.servedLine())
		if r.Join != c.want || r.Join.Joined() && r.Access.ForwardedFor != victim.address {
			t.Errorf("%s: %v with %q, want %v", name, r.Join, r.Access.ForwardedFor, c.want)
		}
	}
}
