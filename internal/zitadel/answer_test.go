package zitadel

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
)

func TestConnectionCutInMidAnswerIsRetriedNotRead(t *testing.T) {
	page := bytes.Repeat([]byte("x"), 1<<20)
	onBoth(t, func(t *testing.T, transport string) {
		f := newFake(t)
		cut := true
		f.onHTTP(func(w http.ResponseWriter, r *http.Request) bool {
			if !cut {
				return false
			}
			w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
			if transport == TransportREST {
				w.Write([]byte(`{"events":[{"payload":{"a":"`))
			} else {
				w.Write([]byte{0, 0, 0x20, 0, 0}) // the length of a message of 2 MiB
			}
			w.Write(page)
			http.NewResponseController(w).Flush()
			f.CloseClientConnections()
			hang(r)
			panic(http.ErrAbortHandler)
		})
		c := f.client(t, transport)
		wantError(t, list(t.Context(), c), Retry)
		cut = false
		if err := list(t.Context(), c); err != nil {
			t.Errorf("the next call: %v", err)
		}
	})
}

func TestAnswerThatEndsTooSoonIsRetried(t *testing.T) {
	page := string(readTestdata(t, "events-rest-page001-first100.json"))
	f := newFake(t)
	c := f.client(t, TransportREST)
	for _, test := range []struct {
		name  string
		serve func(w http.ResponseWriter)
	}{
		{"truncated JSON", func(w http.ResponseWriter) { writeJSON(w, 200, page[:len(page)/2]) }},
		{"nothing at all", func(w http.ResponseWriter) { writeJSON(w, 200, "") }},
		{"shorter than announced", func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "100000")
			writeJSON(w, 200, page[:1000])
			panic(http.ErrAbortHandler)
		}},
		{"truncated gzip", func(w http.ResponseWriter) {
			var packed bytes.Buffer
			z := gzip.NewWriter(&packed)
			io.WriteString(z, page)
			z.Close()
			w.Header().Set("Content-Encoding", "gzip")
			writeJSON(w, 200, packed.String()[:packed.Len()/2])
		}},
	} {
		f.onHTTP(func(w http.ResponseWriter, _ *http.Request) bool { test.serve(w); return true })
		if e, ok := list(t.Context(), c).(*Error); !ok || e.Class != Retry {
			t.Errorf("%s: got %v", test.name, e)
		} else if strings.Contains(e.Error(), "instance.added") {
			t.Errorf("%s: payload in %v", test.name, e)
		}
	}
}

func TestGzipIsUnpacked(t *testing.T) {
	f := newFake(t)
	f.onHTTP(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			t.Errorf("Accept-Encoding is %q", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Type", "application/json")
		z := gzip.NewWriter(w)
		z.Write(readTestdata(t, "events-rest-page001-first100.json"))
		z.Close()
		return true
	})
	events, err := f.client(t, TransportREST).ListEvents(t.Context(), new(adminpb.ListEventsRequest))
	if err != nil || len(events) != 100 {
		t.Errorf("%d events, error %v", len(events), err)
	}
}

// bigPage is a page of about so many bytes.
func bigPage(bytes int) *adminpb.ListEventsResponse {
	page := new(adminpb.ListEventsResponse)
	for range 10 {
		page.Events = append(page.Events, &eventpb.Event{Payload: &structpb.Struct{Fields: map[string]*structpb.Value{
			"text": structpb.NewStringValue(strings.Repeat("a", bytes/10)),
		}}})
	}
	return page
}

func TestPageOf10MiBArrivesOverBothTransports(t *testing.T) {
	page := bigPage(10<<20 - 1000)
	onBoth(t, func(t *testing.T, transport string) {
		f := newFake(t)
		f.onList(func(context.Context, *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
			return page, nil
		})
		events, err := f.client(t, transport).ListEvents(t.Context(), new(adminpb.ListEventsRequest))
		if err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(&adminpb.ListEventsResponse{Events: events}, page) {
			t.Error("the page arrived changed")
		}
	})
}

func TestPageOverALimitIsTooLarge(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		f := newFake(t)
		// ZITADEL's own limit, as recorded.
		f.onList(func(context.Context, *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
			return nil, status.Error(codes.ResourceExhausted, "grpc: trying to send message larger than max (12996121 vs. 10485760)")
		})
		wantError(t, list(t.Context(), f.client(t, transport)), TooLarge)

		// And ours, which no ZITADEL reaches.
		f.onHTTP(func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
			if transport == TransportGRPC {
				w.Write([]byte{0, 1, 0, 0, 1}) // announces 16 MiB and a byte
			} else {
				block := bytes.Repeat([]byte(" "), 1<<20)
				for range maxBody>>20 + 1 {
					w.Write(block)
				}
			}
			return true
		})
		e := wantError(t, list(t.Context(), f.client(t, transport)), TooLarge)
		wantIn(t, e.Message, "larger than max")
	})
}

func TestEventThatCannotBeDecodedIsNoReasonToStop(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		f := newFake(t)
		f.onList(func(context.Context, *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
			return nil, status.Error(codes.Internal, "Errors.Internal (ADMIN-eaimD)")
		})
		wantError(t, list(t.Context(), f.client(t, transport)), Undecodable)
	})
	// What arrives whole, but is no page.
	f := newFake(t)
	f.onHTTP(func(w http.ResponseWriter, _ *http.Request) bool {
		writeJSON(w, 200, `{"events":[{"sequence":"PAYLOAD"}]}`)
		return true
	})
	e := wantError(t, list(t.Context(), f.client(t, TransportREST)), Undecodable)
	if strings.Contains(e.Error(), "PAYLOAD") {
		t.Errorf("payload in %v", e)
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	f := newFake(t)
	f.onList(func(ctx context.Context, _ *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
		return nil, status.Error(codes.ResourceExhausted, "Quota.Access.Exhausted (QUOTA-vjAy8)")
	})
	for header, want := range map[string]time.Duration{
		"7": 7 * time.Second,
		"0": 0, "-3": 0, "soon": 0, "": 0,
		"999999999":                     time.Hour,
		"Sun, 22 Nov 2026 09:37:50 GMT": 20 * time.Second,
		"Sun, 22 Nov 2026 09:37:10 GMT": 0,
	} {
		f.onHTTP(func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", header)
			w.Header().Set("Date", "Sun, 22 Nov 2026 09:37:30 GMT")
			return false
		})
		e := wantError(t, list(t.Context(), f.client(t, TransportREST)), Throttled)
		if e.RetryAfter != want {
			t.Errorf("Retry-After %q over REST: %s, want %s", header, e.RetryAfter, want)
		}
	}
	f.onHTTP(nil)
	f.onList(func(ctx context.Context, _ *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
		grpc.SetTrailer(ctx, metadata.Pairs("retry-after", "9"))
		return nil, status.Error(codes.ResourceExhausted, "slow down")
	})
	if e := wantError(t, list(t.Context(), f.client(t, TransportGRPC)), Throttled); e.RetryAfter != 9*time.Second {
		t.Errorf("retry-after metadata: %s, want 9s", e.RetryAfter)
	}
	f.onList(func(ctx context.Context, _ *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
		s, err := status.New(codes.Unavailable, "restarting").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(1500 * time.Millisecond)})
		if err != nil {
			return nil, err
		}
		return nil, s.Err()
	})
	if e := wantError(t, list(t.Context(), f.client(t, TransportGRPC)), Retry); e.RetryAfter != 1500*time.Millisecond {
		t.Errorf("RetryInfo: %s, want 1.5s", e.RetryAfter)
	}
}

func TestAnswersOfSomethingElse(t *testing.T) {
	page := "<html><head><style>b{}</style></head><body><h1>It is not here</h1>\n\x00" + strings.Repeat("long ", 500) + "</body></html>"
	for _, test := range []struct {
		status int
		body   string
		class  Class
		fix    string
	}{
		{200, page, Stop, "url does not lead to ZITADEL's API"},
		{400, "Client sent an HTTP request to an HTTPS server.", Stop, "use https:// in url"},
		{401, page, Stop, "something before it asks for a login"},
		{403, page, Stop, "proxy or firewall before it refuses"},
		{404, page, Stop, "url does not lead to ZITADEL's API"},
		{405, page, Stop, "url does not lead to ZITADEL's API"},
		{407, page, Stop, "HTTPS_PROXY"},
		{408, page, Retry, ""},
		{421, page, Stop, "external domain"},
		{429, page, Throttled, "limits the requests"},
		{500, page, Retry, ""},
		{501, page, Stop, "url does not lead"},
		{502, page, Retry, ""},
		{503, page, Retry, ""},
		{504, page, Retry, ""},
		{520, page, Retry, ""},
	} {
		onBoth(t, func(t *testing.T, transport string) {
			f := newFake(t)
			f.onHTTP(func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				w.WriteHeader(test.status)
				io.WriteString(w, test.body)
				return true
			})
			e := wantError(t, list(t.Context(), f.client(t, transport)), test.class)
			if e.HTTPStatus != test.status {
				t.Errorf("HTTP %d, want %d", e.HTTPStatus, test.status)
			}
			wantIn(t, e.Fix, test.fix)
			if n := len([]rune(e.Message)); n > maxForeign+1 {
				t.Errorf("HTTP %d: %d runes repeated: %q", test.status, n, e.Message)
			}
			if strings.ContainsAny(e.Message, "<>\x00") {
				t.Errorf("markup in %q", e.Message)
			}
			if transport == TransportGRPC && test.status == 403 {
				wantIn(t, e.Fix, "transport rest")
			}
		})
	}
}

func TestOtherJSONIsNoEmptyPage(t *testing.T) {
	f := newFake(t)
	c := f.client(t, TransportREST)
	for body, class := range map[string]Class{
		`{"status":"ok"}`: Stop,
		`[]`:              Stop,
		`null`:            Stop,
		`"events"`:        Stop,
		`{"events":5}`:    Undecodable,
	} {
		f.onHTTP(func(w http.ResponseWriter, _ *http.Request) bool { writeJSON(w, 200, body); return true })
		wantError(t, list(t.Context(), c), class)
	}
	for _, body := range []string{`{}`, ` {} `, `{"events":[]}`, `{"events":[],"new":1}`} {
		f.onHTTP(func(w http.ResponseWriter, _ *http.Request) bool { writeJSON(w, 200, body); return true })
		if err := list(t.Context(), c); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
	f.onHTTP(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Grpcgateway-Content-Type", "application/grpc")
		writeJSON(w, 200, `{"new":1}`)
		return true
	})
	if err := list(t.Context(), c); err != nil {
		t.Errorf("a new field in an empty page of the gateway: %v", err)
	}
}

func TestRedirectIsAnErrorThatNamesTheURL(t *testing.T) {
	other := newFake(t)
	onBoth(t, func(t *testing.T, transport string) {
		f := newFake(t)
		f.onHTTP(func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, other.URL+r.URL.Path+"?token=abc", http.StatusTemporaryRedirect)
			return true
		})
		e := wantError(t, list(t.Context(), f.client(t, transport)), Stop)
		wantIn(t, e.Fix, "redirects are not followed")
		if transport == TransportREST {
			wantIn(t, e.Fix, "if "+other.URL+" is your ZITADEL set url to it")
		}
		if strings.Contains(e.Error(), "abc") {
			t.Errorf("the query is in %v", e)
		}
	})
	if sent, _ := other.noted(); len(sent) > 0 {
		t.Errorf("the redirect was followed with %v", sent)
	}
}
