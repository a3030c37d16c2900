package parser_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/parser"
)

// told is one request as the client knew it.
type told struct {
	N         int
	UserID    string `json:"user_id"`
	Addr      string
	Client    string
	RequestID string `json:"request_id"`
	Label     string
	From, To  int
}

func truthOf(t *testing.T, name string) (all []told) {
	t.Helper()
	for _, line := range splitLines(readFile(t, name)) {
		var one told
		if err := json.Unmarshal(line, &one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}

// joinLines calls f with each record of a log, joined, and the offsets of its line and of that
// of its access record.
func joinLines(t *testing.T, log []byte, f func(r *parser.Record, at, access int)) {
	t.Helper()
	p, j := parser.New(parser.Options{Kinds: parser.AllKinds}), parser.NewJoiner()
	j.Begin(1)
	at := 0
	for line := range bytes.Lines(log) {
		var r parser.Record
		p.Parse(line, &r)
		access := -1
		switch r.Kind {
		case parser.Access:
			j.Access(1, &r, parser.Place{Index: at})
		case parser.Served:
			if place, ok := j.Served(1, &r); ok {
				access = place.Index
			}
		}
		f(&r, at, access)
		at += len(line)
	}
}

var numbered = regexp.MustCompile(` n/(\d+)`)

// 50 users at a time, each with an address of its own, through every protocol: all requests
// are joined, none with the address of another user.
func TestRealRequestsOf50UsersAreJoinedWithTheRightOnes(t *testing.T) {
	t.Parallel()
	byN, byID := map[int]told{}, map[string]told{}
	for _, one := range truthOf(t, "testdata/requests/concurrent-50.truth.ndjson.gz") {
		byN[one.N], byID[one.RequestID] = one, one
	}
	joins, checked := map[parser.Join]int{}, 0
	joinLines(t, readFile(t, "testdata/requests/concurrent-50.stderr.gz"), func(r *parser.Record, _, _ int) {
		if r.Kind != parser.Served {
			return
		}
		joins[r.Join]++
		one, known := byID[r.Served.ID]
		if m := numbered.FindStringSubmatch(r.Access.UserAgent); m != nil {
			n, _ := strconv.Atoi(m[1])
			one, known = byN[n]
		}
		if !known {
			return // the load's own preparation
		}
		checked++
		if r.Served.UserID != "" && r.Served.UserID != one.UserID || !strings.Contains(r.Access.ForwardedFor, one.Addr) || one.Client != "rest" && one.RequestID != r.Served.ID {
			t.Errorf("%v: user %q at %q, want %+v", r.Join, r.Served.UserID, r.Access.ForwardedFor, one)
		}
	})
	if joins[parser.JoinTraceID] != 125 || joins[parser.JoinOnly] != 280 || len(joins) != 2 || checked < 380 {
		t.Errorf("joined %v, %d checked", joins, checked)
	}
}

// What an attacker sends stays with its own request.
func TestRealAttacksAreJoinedWithThemselvesOnly(t *testing.T) {
	t.Parallel()
	all := truthOf(t, "testdata/requests/attack.truth.ndjson.gz")
	of := func(at int) *told {
		for i := range all {
			if all[i].From <= at && at < all[i].To {
				return &all[i]
			}
		}
		return nil
	}
	joins := map[parser.Join]int{}
	joinLines(t, readFile(t, "testdata/requests/attack.stderr.gz"), func(r *parser.Record, at, access int) {
		if r.Kind != parser.Served {
			return
		}
		joins[r.Join]++
		if r.Join.Joined() && of(at) != of(access) {
			t.Errorf("%v joins the lines at %d and %d: %+v and %+v", r.Join, at, access, of(at), of(access))
		}
		if one := of(at); one != nil && r.Served.UserID != "" && one.UserID != "" && r.Served.UserID != one.UserID {
			t.Errorf("%s: user %q, want %q", one.Label, r.Served.UserID, one.UserID)
		}
	})
	if joins[parser.JoinTraceID] < 90 || joins[parser.JoinOnly] < 300 || joins[parser.JoinRequestID] < 60 {
		t.Errorf("joined %v", joins)
	}
}

// The request log in JSON and in Google Cloud's formats says the same.
func TestRealRequestLogInEveryFormat(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"gcp", "gcperr", "json"} {
		served := 0
		joinLines(t, readFile(t, "testdata/requests/format-"+name+".stderr.gz"), func(r *parser.Record, _, _ int) {
			switch s := &r.Served; r.Kind {
			case parser.Served:
				served++
				if !r.Join.Joined() || r.Trust != parser.TrustFull || r.Time.IsZero() || r.Took == 0 || r.Instance == "" || s.ID == "" || s.TraceID == "" || s.SpanID == "" || s.Service == "" ||
					s.Operation == "" || s.Code == "" || s.Host == "" || (s.Code == "OK") != (s.Status == 0) {
					t.Errorf("%s: %v %+v", name, r.Join, r)
				}
			case parser.Gateway:
				if s.Path == "" || s.Status == 0 || s.HTTPMethod == "" {
					t.Errorf("%s: %+v", name, r)
				}
			case parser.Activity, parser.Access:
			default:
				t.Errorf("%s: a line is %v", name, r.Kind)
			}
		})
		if served < 8 {
			t.Errorf("%s: only %d requests", name, served)
		}
	}
}
