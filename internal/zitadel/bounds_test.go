package zitadel

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"math"
	"net/http"
	"runtime"
	"strings"
	"testing"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// wantAllocated fails where run allocates more than max bytes in all, garbage
// included: a bound above what is in use at any moment.
func wantAllocated(t *testing.T, max uint64, run func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run()
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > max {
		t.Errorf("%d MiB allocated, want at most %d", got>>20, max>>20)
	}
}

// flood writes block until the client hangs up, but never more than total bytes.
func flood(w io.Writer, block string, total int) {
	many := []byte(strings.Repeat(block, 1<<20/len(block)))
	for n := 0; n < total; n += len(many) {
		if _, err := w.Write(many); err != nil {
			return
		}
	}
}

func TestHostileAnswerCostsBoundedMemory(t *testing.T) {
	const size = 48 << 20
	packed := func(w http.ResponseWriter, status int, block string) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(status)
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
		flood(z, block, size)
		z.Close()
	}
	for _, test := range []struct {
		name  string
		serve func(w http.ResponseWriter)
		class Class
		max   uint64
	}{
		{"blanks", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			flood(w, " ", size)
		}, TooLarge, 5 * maxBody},
		{"a gzip bomb", func(w http.ResponseWriter) { packed(w, 200, " ") }, TooLarge, 5 * maxBody},
		{"a gzip bomb as an error", func(w http.ResponseWriter) { packed(w, 500, "{") }, Retry, 16 << 20},
		{"a page of something else", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html")
			flood(w, "<", size)
		}, Stop, 16 << 20},
		{"45 MB of empty events", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"events":[`)
			flood(w, "{},", 45_000_000)
			io.WriteString(w, `{}]}`)
		}, Stop, 5 * maxBody},
		{"15 MB of empty events", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"events":[`)
			flood(w, "{},", 15_000_000)
			io.WriteString(w, `{}]}`)
		}, Stop, 3 * maxBody},
		{"an event of many values", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"events":[{"payload":{"x":[`)
			flood(w, "0,", 15_000_000)
			io.WriteString(w, `0]}}]}`)
		}, TooLarge, 3 * maxBody},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t)
			f.onHTTP(func(w http.ResponseWriter, _ *http.Request) bool { test.serve(w); return true })
			c := f.client(t, TransportREST)
			wantAllocated(t, test.max, func() { wantError(t, list(t.Context(), c), test.class) })
		})
	}
}

func TestMoreEventsThanAskedForAreRefusedBeforeTheyAreDecoded(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		f := newFake(t)
		var sent int
		f.onList(func(context.Context, *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
			events := make([]*eventpb.Event, sent)
			for i := range events {
				events[i] = new(eventpb.Event)
			}
			return &adminpb.ListEventsResponse{Events: events}, nil
		})
		c := f.client(t, transport)
		for _, test := range []struct {
			limit uint32
			sent  int
			ok    bool
		}{{7, 7, true}, {7, 8, false}, {0, 1000, true}, {0, 1001, false}} {
			sent = test.sent
			events, err := c.ListEvents(t.Context(), &adminpb.ListEventsRequest{Limit: test.limit})
			if test.ok {
				if err != nil || len(events) != test.sent {
					t.Errorf("limit %d: %d events of %d, %v", test.limit, len(events), test.sent, err)
				}
				continue
			}
			e := wantError(t, err, Stop)
			wantIn(t, e.Message, textTooMany)
			wantIn(t, e.Fix, "ZITADEL keeps to the limit")
		}
	})
}

// What a decoder would make hundreds of megabytes of.
func TestCountingAllocatesNothing(t *testing.T) {
	events := bytes.Repeat([]byte{0x0a, 0}, maxMessageSize/2)
	d := new(adminpb.ListEventsResponse).ProtoReflect().Descriptor()
	many := &structpb.ListValue{Values: make([]*structpb.Value, maxValues)}
	for i := range many.Values {
		many.Values[i] = structpb.NewNullValue()
	}
	values, err := proto.Marshal(&adminpb.ListEventsResponse{Events: []*eventpb.Event{{
		Payload: &structpb.Struct{Fields: map[string]*structpb.Value{"x": structpb.NewListValue(many)}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	object := []byte(`{"events":[` + strings.Repeat("{},", 10<<20) + `{}]}`)
	wantAllocated(t, 1<<20, func() {
		for name, f := range map[string]*failure{
			"events":             boundProto(events, d, 1000),
			"JSON events":        boundJSON(object, 1000),
			"escaped name":       boundJSON([]byte(`{"\u0065vents":[{},{}]}`), 1),
			"start of an answer": boundJSON(object[:5000], 1000),
		} {
			if f == nil || classify(f).class != Stop {
				t.Errorf("%s: %+v", name, f)
			}
		}
		for name, f := range map[string]*failure{
			"values":      boundProto(values, d, 1000),
			"JSON values": boundJSON(object, math.MaxInt),
		} {
			if f == nil || classify(f).class != TooLarge {
				t.Errorf("%s: %+v", name, f)
			}
		}
	})
}

func TestOnlyEventsAreCountedAsEvents(t *testing.T) {
	for _, answer := range []string{
		`{"events":[{"payload":{"events":[{},{},{}],"a":"\"}]{\\"}}],"new":[{},{},{}],"text":"events"}`,
		`{"new":{"events":[{},{},{}]},"events":[{}]}`,
		``, `"`, `{"`, `{"events":[{"\`, `]]]]{},{}`,
	} {
		if f := boundJSON([]byte(answer), 1); f != nil {
			t.Errorf("%s: %s", answer, f.text)
		}
	}
}

func TestJSONThatIsWrongIsNotTakenForOneThatWasCut(t *testing.T) {
	f := newFake(t)
	c := f.client(t, TransportREST)
	for body, class := range map[string]Class{
		`{"events":[{"payload":{"x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}}]}`: Undecodable,
		`{"events":[{}}`:   Undecodable,
		`{"events":[]} x`:  Undecodable,
		`{"events":[{"a":`: Retry,
		`{`:                Retry,
		``:                 Retry,
		` `:                Retry,
	} {
		f.onHTTP(func(w http.ResponseWriter, _ *http.Request) bool { writeJSON(w, 200, body); return true })
		e := wantError(t, list(t.Context(), c), class)
		if class == Retry {
			wantIn(t, e.Message, "ends before its JSON does")
		}
	}
}
