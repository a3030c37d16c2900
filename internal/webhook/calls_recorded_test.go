package webhook_test

import (
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zitadel/zitadel-go/v3/pkg/actions"

	"github.com/zitadel-siem/zitadel-siem/internal/calls"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/schema"
	"github.com/zitadel-siem/zitadel-siem/internal/webhook"
)

// recordedCall is a line of testdata/calls-*.ndjson.gz: a webhook of a call, of an event, or
// an event and the address that is true.
type recordedCall struct {
	Received  time.Time `json:"received"`
	Signed    int64     `json:"signed"`
	Body      string    `json:"body"`
	Pushed    string    `json:"pushed"`
	Event     string    `json:"event"`
	Type      string    `json:"type"`
	Created   time.Time `json:"created"`
	Editor    string    `json:"editor"`
	Address   string    `json:"address"`
	Addresses []string  `json:"addresses"` // of the editor's calls that were in flight
	Method    string    `json:"method"`    // that wrote the event; empty where the recorder did not know
}

func readCalls(t *testing.T, name string) (list []recordedCall) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(z); d.More(); {
		var c recordedCall
		if err := d.Decode(&c); err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	return list
}

type drop struct{}

func (drop) Append(context.Context, ...[]byte) error { return nil }

// Calls of 8 and of 50 users of a real ZITADEL, every fourth with two addresses: no event gets
// an address that is not that of its call. The share that gets one is logged, for events that
// are pulled and for events that are pushed.
func TestCallsOfARealZITADEL_NoWrongAddress(t *testing.T) {
	for _, name := range []string{"calls-8", "calls-50"} {
		for _, how := range []string{"pulled", "pushed"} {
			t.Run(name+" "+how, func(t *testing.T) {
				list := readCalls(t, name+".ndjson.gz")
				right, ambiguous, none, wrong, several := 0, 0, 0, 0, 0
				why := map[string]int{}
				replay(t, list, how == "pushed", func(e *recordedCall, got netip.Addr, v calls.Verdict) {
					several += min(1, len(e.Addresses)-1)
					switch {
					case v == calls.Found && e.Address == "": // who recorded it did not know
						why["not known: "+e.Type]++
					case v == calls.Found && got == netip.MustParseAddr(e.Address):
						right++
					case v == calls.Found:
						wrong++
						t.Errorf("%+v got %s", e, got)
					case v == calls.Ambiguous:
						ambiguous++
						why["ambiguous: "+e.Type]++
					default:
						none++
						why["none: "+e.Type]++
					}
				})
				if right < 8*(right+ambiguous+none)/10 {
					t.Error("few events got an address")
				}
				n := right + ambiguous + none + wrong
				t.Logf("%d events, %d of them with calls from two addresses in flight: %.1f %% right, %d ambiguous, %d without, %d wrong; %v", n, several, 100*float64(right)/float64(n), ambiguous, none, wrong, why)
			})
		}
	}
}

// The table knows what a real ZITADEL was seen to write.
func TestCallsOfARealZITADEL_TheTableKnowsWhatTheyWrote(t *testing.T) {
	pairs := map[[2]string]int{}
	for _, name := range []string{"calls-8", "calls-50"} {
		for _, c := range readCalls(t, name+".ndjson.gz") {
			if c.Method != "" {
				pairs[[2]string{c.Method, c.Type}]++
			}
		}
	}
	for p := range pairs {
		if !calls.CanWrite(p[0], p[1]) {
			t.Errorf("%s wrote %s", p[0], p[1])
		}
	}
	t.Logf("%d methods and types", len(pairs))
	if len(pairs) < 15 {
		t.Error("the recording is not what it was")
	}
}

// replay sends the webhooks of calls to an endpoint in their order, and asks for each event:
// 4 s after it was created, or when its own webhook came.
func replay(t *testing.T, list []recordedCall, pushed bool, found func(*recordedCall, netip.Addr, calls.Verdict)) {
	t.Helper()
	const key = "a-key-of-a-target-0123456789abcdef"
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "siem"), []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	now := list[0].Received.Add(-time.Minute)
	clock := func() time.Time { return now }
	endpoint, err := webhook.NewWith(webhook.Options{ListenSettings: config.ListenSettings{KeysDir: dir, Plain: true}, Spool: drop{}, Log: slog.New(slog.DiscardHandler), Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	store := calls.New(clock)
	endpoint.OnCall = func(x *webhook.Execution) {
		store.Add(calls.Call{Method: x.Method, User: x.UserID, Address: schema.Forwarded(x.ForwardedFor), Response: x.Kind == webhook.KindResponse, Signed: x.Sent, Pair: x.Pair, Changed: x.ChangeDate})
	}
	type step struct {
		at time.Time
		do func()
	}
	var steps []step
	came := map[string]time.Time{}
	for i := range list {
		c := &list[i]
		switch {
		case c.Pushed != "":
			came[c.Pushed] = c.Received
		case c.Body != "":
			steps = append(steps, step{c.Received, func() {
				r := httptest.NewRequest(http.MethodPost, "/siem", strings.NewReader(c.Body))
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set(webhook.SignatureHeader, actions.ComputeSignatureHeader(time.Unix(c.Signed, 0), []byte(c.Body), key))
				w := httptest.NewRecorder()
				endpoint.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					t.Fatal(w.Code, c.Body)
				}
			}})
		case c.Event != "":
			read := c.Created.Add(4 * time.Second)
			if pushed {
				if read = came[c.Event]; read.IsZero() {
					continue
				}
			}
			steps = append(steps, step{read, func() {
				ip, v := store.Find(c.Editor, c.Type, c.Created, read)
				found(c, ip, v)
			}})
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	for _, s := range steps {
		now = s.at
		s.do()
	}
}
