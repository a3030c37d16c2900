package zitadel

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

func readTestdata(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// verdict is what the caller must learn from a recorded answer.
type verdict struct {
	class Class
	fix   string // a part of it; "" means that there is none
}

var (
	badToken = verdict{Stop, "renew it in token"}
	noHeader = verdict{Stop, "let the Authorization header through"}
	noRole   = verdict{Stop, "IAM_OWNER_VIEWER"}
	badHost  = verdict{Stop, "use its external domain"}
	badURL   = verdict{Stop, "url does not lead to ZITADEL's API"}
	badQuery = verdict{Stop, "check the filter options"}
	justWait = verdict{Retry, ""}
)

func TestRecordedErrorsOverREST(t *testing.T) {
	want := map[string]verdict{
		"errors/001-no-token":            noHeader,
		"errors/002-empty-bearer":        badToken,
		"errors/003-bad-token":           badToken,
		"errors/007-no-permission":       noRole,
		"errors/008-org-owner-only":      {Stop, "ORG_OWNER is not enough"},
		"errors/016-wrong-host":          badHost,
		"errors/017-host-127.0.0.1":      badHost,
		"errors/018-get-method":          badURL,
		"errors/019-bad-json":            badQuery,
		"errors/020-json-array":          badQuery,
		"errors/022-wrong-path":          badURL,
		"errors/023-invalid-utf8":        badQuery,
		"errors/024-nul-in-filter":       justWait,
		"errors/104-instance-blocked":    {Throttled, "ask its operator"},
		"errors/111-quota5-request6":     {Throttled, "quota"},
		"errors/211-big-page-over-10MiB": {TooLarge, ""},
		"errors/301-db-down":             justWait,
		"errors/400-startup-sequence":    justWait,
		"semantics/008-limit-4294967296": badQuery,
		"semantics/009-limit-minus1":     badQuery,
		"semantics/011-limit-abc":        badQuery,
		"semantics/012-limit-float":      badQuery,
		"semantics/033-range-and-from":   badQuery,
		"semantics/037-from-bad":         badQuery,
		"semantics/038-from-number":      badQuery,
		"semantics/041-eventtypes-31":    badQuery,
		"semantics/042-aggtypes-11":      badQuery,
		"semantics/048-editor-too-long":  badQuery,
	}
	var recorded []struct {
		File   string
		Status int
		Header map[string]string
		Body   string
	}
	if err := json.Unmarshal(readTestdata(t, "events-rest-errors.json"), &recorded); err != nil {
		t.Fatal(err)
	}
	if len(recorded) != len(want) {
		t.Fatalf("%d recorded answers, %d verdicts", len(recorded), len(want))
	}
	f := newFake(t)
	c := f.client(t, TransportREST)
	for _, r := range recorded {
		name := strings.TrimPrefix(r.File, "events-rest/")
		t.Run(name, func(t *testing.T) {
			f.onHTTP(func(w http.ResponseWriter, _ *http.Request) bool {
				for k, v := range r.Header {
					w.Header().Set(k, v)
				}
				w.WriteHeader(r.Status)
				w.Write([]byte(r.Body))
				return true
			})
			e := wantVerdict(t, list(t.Context(), c), want[name])
			var body struct {
				Code    codes.Code
				Message string
			}
			if err := json.Unmarshal([]byte(r.Body), &body); err != nil {
				t.Fatal(err)
			}
			said := strings.Join(strings.Fields(body.Message), " ")
			if e.HTTPStatus != r.Status || e.Code != body.Code || e.Message != said || e.RetryAfter != 0 {
				t.Errorf("got %d %s %q, retry after %s", e.HTTPStatus, e.Code, e.Message, e.RetryAfter)
			}
			wantIn(t, e.Error(), f.URL, said)
		})
	}
}

func TestRecordedErrorsOverGRPC(t *testing.T) {
	want := map[string]verdict{
		"no-token":        noHeader,
		"bad-token":       badToken,
		"no-permission":   noRole,
		"org-owner-only":  {Stop, "ORG_OWNER is not enough"},
		"eventtypes-31":   badQuery,
		"nul-in-filter":   justWait,
		"deadline-1ns":    {Retry, "request_timeout"},
		"server-down":     justWait,
		"wrong-authority": badHost,
	}
	var recorded []struct {
		Name, Code, Message, Detail string
	}
	if err := json.Unmarshal(readTestdata(t, "events-grpc-errors.json"), &recorded); err != nil {
		t.Fatal(err)
	}
	if len(recorded) != len(want) {
		t.Fatalf("%d recorded answers, %d verdicts", len(recorded), len(want))
	}
	f := newFake(t)
	c := f.client(t, TransportGRPC)
	for _, r := range recorded {
		t.Run(r.Name, func(t *testing.T) {
			var code codes.Code
			if err := code.UnmarshalJSON([]byte(`"` + screaming(r.Code) + `"`)); err != nil {
				t.Fatal(err)
			}
			s := &spb.Status{Code: int32(code), Message: r.Message}
			if detail, err := hex.DecodeString(r.Detail); err == nil && len(detail) > 0 {
				s.Details = []*anypb.Any{{TypeUrl: "type.googleapis.com/zitadel.v1.ErrorDetail", Value: detail}}
			}
			f.onList(func(context.Context, *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
				return nil, status.FromProto(s).Err()
			})
			e := wantVerdict(t, list(t.Context(), c), want[r.Name])
			if e.Code != code || e.HTTPStatus != 0 || e.RetryAfter != 0 {
				t.Errorf("got %s, HTTP %d, retry after %s", e.Code, e.HTTPStatus, e.RetryAfter)
			}
		})
	}
}

func wantVerdict(t *testing.T, err error, want verdict) *Error {
	t.Helper()
	e := wantError(t, err, want.class)
	if want.fix == "" && e.Fix != "" {
		t.Errorf("fix is %q, want none", e.Fix)
	}
	wantIn(t, e.Fix, want.fix)
	return e
}

// screaming turns PermissionDenied into PERMISSION_DENIED.
func screaming(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToUpper(b.String())
}

func TestBothTransportsGiveEqualEventsForTheSameRecordedPage(t *testing.T) {
	f := newFake(t)
	page := new(adminpb.ListEventsResponse)
	if err := proto.Unmarshal(readTestdata(t, "events-grpc-page001-first100.pb"), page); err != nil {
		t.Fatal(err)
	}
	f.onList(func(context.Context, *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
		return page, nil
	})
	f.onHTTP(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != listEvents.path {
			return false
		}
		writeJSON(w, 200, string(readTestdata(t, "events-rest-page001-first100.json")))
		return true
	})
	req := &adminpb.ListEventsRequest{Limit: 100, Asc: true}
	overGRPC, err := f.client(t, TransportGRPC).ListEvents(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	overREST, err := f.client(t, TransportREST).ListEvents(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if len(overGRPC) != 100 || len(overREST) != 100 {
		t.Fatalf("%d events over gRPC, %d over REST, want 100", len(overGRPC), len(overREST))
	}
	for i := range overGRPC {
		if !proto.Equal(overGRPC[i], overREST[i]) {
			t.Errorf("event %d differs:\ngRPC %v\nREST %v", i, overGRPC[i], overREST[i])
		}
	}
}
