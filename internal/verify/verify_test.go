package verify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidwall/gjson"
	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/grpc/codes"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact/payload"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// scene is a log, and the lines that pull would have written of it.
type scene struct {
	client   events.Client
	settings config.Settings
	lines    []string
	from, to time.Time
	format   *format.Format // its table of event types takes most of the time of a run
}

// newScene has the first n recorded events in a format.
func newScene(t testing.TB, n int, options map[string]string) *scene {
	t.Helper()
	values := map[string]string{"url": "http://localhost", "token": "secret-token", "instance": "test", "format": "raw", "settle": "0s", "overlap": "2s"}
	for name, v := range options {
		values[name] = v
	}
	s, _, err := config.Verify.ParseMap(values, config.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	store := zitadeltest.NewStore()
	store.Append(zitadeltest.RecordedEvents(time.Time{})[:n]...)
	server := zitadeltest.NewServer(store, zitadeltest.Options{})
	x := &scene{client: server.Direct(), settings: s.Settings}
	page, err := x.client.ListEvents(t.Context(), &adminpb.ListEventsRequest{Asc: true, Limit: 1000})
	if err != nil || len(page) != n {
		t.Fatal(err, len(page))
	}
	f, err := format.Open(s.Settings.Format)
	if err != nil {
		t.Fatal(err)
	}
	x.format = f
	encode := f.Lines()
	for _, pb := range page {
		e := events.FromEvent(pb, "test", time.Now())
		payload.Record(&e)
		if line := encode(nil, &e); len(line) > 0 {
			x.lines = append(x.lines, strings.TrimSuffix(string(line), "\n"))
		}
		if x.from.IsZero() || e.Time.Before(x.from) {
			x.from = e.Time
		}
		if !e.Time.Before(x.to) {
			x.to = e.Time.Add(time.Second)
		}
	}
	return x
}

// input is a copy in memory.
func input(text string) *Input {
	i := &Input{Name: "copy"}
	i.begin(strings.NewReader(text), new(atomic.Int64), 1<<12)
	return i
}

func (s *scene) options(t testing.TB, text string) Options {
	t.Helper()
	o := Options{Settings: s.settings, From: s.from, To: s.to, Inputs: []*Input{input(text)}, Client: s.client, Log: slog.New(slog.DiscardHandler)}
	var err error
	if o.Found, err = Inspect(o.Inputs, ""); err != nil {
		t.Fatal(err)
	}
	return o
}

func (s *scene) run(t testing.TB, text string) *Result {
	t.Helper()
	r, err := s.with(t, s.options(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (s *scene) with(t testing.TB, o Options) (*Result, error) {
	v := newRun(o)
	v.format = s.format
	return v.run(t.Context())
}

// Whatever is done to a copy, the counts are those of what was done. The oracle knows it.
func TestEveryDifferenceIsCountedOnce(t *testing.T) {
	for _, name := range []string{"raw", "ecs", "ocsf"} {
		s := newScene(t, 200, map[string]string{"format": name, "tier": "noise"})
		path := map[string]string{"raw": "event.type", "ecs": "event.action", "ocsf": "metadata.event_code"}[name]
		for seed := range uint64(2) {
			r := rand.New(rand.NewPCG(seed, 0))
			var text strings.Builder
			var missing, foreign, doubled, altered, broken uint64
			for i, line := range s.lines {
				if i == 0 {
					text.WriteString(line + "\n") // the format
					continue
				}
				switch r.IntN(12) {
				case 0:
					missing++
				case 1:
					text.WriteString(line + "\n" + line + "\n")
					doubled++
				case 2:
					typ := gjson.Get(line, path).Str
					text.WriteString(strings.Replace(line, `"`+typ+`"`, `"`+typ+`.x"`, 1) + "\n")
					altered++
				case 3:
					text.WriteString(line + "\n" + strings.Replace(line, `"test/`, fmt.Sprintf(`"test/new%d`, i), 1) + "\n")
					foreign++
				case 4:
					text.WriteString(line + "\n" + line[:len(line)-1-r.IntN(len(line)-1)] + "\n")
					broken++
				case 5:
					text.WriteString("\n{\"other\":1}\n" + line + "\n")
				default:
					text.WriteString(line + "\r\n")
				}
			}
			got := s.run(t, text.String())
			want := [5]uint64{missing, foreign, doubled, altered, broken}
			if have := [5]uint64{got.Missing.Count, got.Foreign.Count, got.Doubled.Count, got.Altered.Count, got.Broken.Count}; have != want || got.Verdict != Differs {
				t.Errorf("%s, seed %d: missing, foreign, doubled, altered, broken %v, want %v; %+v", name, seed, have, want, got.Foreign.List)
			}
		}
	}
}

// Exporters change order, white space and the notation of numbers, and drop what is empty.
func TestTheNotationOfARecordIsNoDifference(t *testing.T) {
	s := newScene(t, 20, nil)
	f := newFields(Raw, false)
	h := newHasher()
	sum := func(text string) (n uint64) {
		f.walk(gjson.Parse(text), func(path, v string, r role) {
			if r != ignored {
				n += h.leaf(path, v)
			}
		})
		return n
	}
	const one = `{"event":{"id":"a","sequence":4},"payload":{"x":1.5,"y":["a","b"],"z":true,"n":{"m":100000}}}`
	for _, same := range []string{
		`{"payload":{"n":{"m":1e5},"z":true,"x":1.50,"y":["a","b"]},"event":{"sequence":4.0,"id":"a"}}`,
		` { "event" : { "id" : "\u0061" , "sequence" : "4" } , "payload.x":1.5,"payload":{"y":["a","b"],"z":"true","n":{"m":100000},"e":null,"f":{},"g":[]}, "event.read_at":"now" }`,
	} {
		if sum(same) != sum(one) {
			t.Errorf("%s differs", same)
		}
	}
	for _, other := range []string{
		strings.Replace(one, `"a","b"`, `"b","a"`, 1), strings.Replace(one, "1.5", "1.25", 1), strings.Replace(one, "true", "false", 1),
		strings.Replace(one, `"z"`, `"Z"`, 1), strings.Replace(one, `"x":1.5,`, "", 1), strings.Replace(one, `"x":1.5`, `"x":1.5,"x":1.5`, 1),
	} {
		if sum(other) == sum(one) {
			t.Errorf("%s is the same", other)
		}
	}
	if got := s.run(t, strings.Join(s.lines, "\n")); got.Verdict != Complete || got.Copy.Equal != 20 {
		t.Errorf("%+v", got)
	}
}

// More fields than there are bits cost the second reading, and give no wrong answer.
func TestRecordsWithTooManyFieldsAreComparedAllTheSame(t *testing.T) {
	s := newScene(t, 30, map[string]string{"format": "ecs", "tier": "noise"})
	altered := append([]string(nil), s.lines...)
	altered[4] = strings.Replace(altered[4], `"action":"`, `"action":"x`, 1)
	v := newRun(s.options(t, strings.Join(altered, "\n")))
	for i := range maxBits {
		v.shapes.give(fmt.Sprint("taken", i))
	}
	got, err := v.run(t.Context())
	if err != nil || got.Altered.Count != 1 || got.Copy.Equal != 29 {
		t.Errorf("%v: %+v", err, got)
	}
}

func TestTheNumberOfEventsIsBounded(t *testing.T) {
	s := newScene(t, 100, nil)
	v := newRun(s.options(t, strings.Join(s.lines, "\n")))
	v.table.most = 99
	got, err := v.run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "split it") || got.Verdict != NotVerified {
		t.Errorf("%v: %+v", err, got)
	}
}

// The records that differ hold personal data: their file has no name, whatever ends the process.
func TestTheTemporaryFileHasNoName(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	var s spill
	place, err := s.add(spilledRecord{line: 7, data: []byte(`{"a":1}`)})
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
	second, err := s.add(spilledRecord{before: place, data: []byte(`{"b":2}`)})
	if err := errors.Join(err, s.flush()); err != nil {
		t.Fatal(err)
	}
	r, err := s.read(second)
	if err != nil || string(r.data) != `{"b":2}` || r.before != place {
		t.Error(r, err)
	}
	if r, err = s.read(r.before); err != nil || string(r.data) != `{"a":1}` || r.line != 7 || r.before != 0 {
		t.Error(r, err)
	}
	s.close()

	t.Setenv("TMPDIR", filepath.Join(dir, "none"))
	if _, err := new(spill).add(spilledRecord{}); err == nil || !strings.Contains(err.Error(), "TMPDIR") {
		t.Error(err)
	}
}

// away is a ZITADEL that does not answer.
type away struct{ events.Client }

func (away) ListEvents(context.Context, *adminpb.ListEventsRequest) ([]*eventpb.Event, error) {
	return nil, &zitadel.Error{Class: zitadel.Retry, Code: codes.Unavailable, Message: "connection refused"}
}

func TestAServerThatIsAwayEndsTheRunAfterAWhile(t *testing.T) {
	s := newScene(t, 10, nil)
	text := strings.Join(s.lines, "\n")
	synctest.Test(t, func(t *testing.T) {
		o := s.options(t, text)
		o.Client = away{s.client}
		began := time.Now()
		got, err := Run(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), "connection refused") || got.Verdict != NotVerified {
			t.Errorf("%v: %+v", err, got)
		}
		if took := time.Since(began); took < patience || took > 3*patience {
			t.Error(took)
		}
	})
}

func TestACancelledRunVerifiesNothing(t *testing.T) {
	s := newScene(t, 10, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got, err := Run(ctx, s.options(t, strings.Join(s.lines, "\n")))
	if err == nil || got.Verdict != NotVerified {
		t.Errorf("%v: %+v", err, got)
	}
}

// Law 1: what the sink did not acknowledge does not count as repaired.
func TestLaw1WhatIsNotAcknowledgedIsNotRepaired(t *testing.T) {
	s := newScene(t, 50, nil)
	o := s.options(t, strings.Join(s.lines[10:], "\n"))
	o.Repair = func(context.Context, []record.Record) (int, error) { return 0, errors.New("refused") }
	got, err := Run(t.Context(), o)
	if err == nil || got.Repaired != 0 || got.Verdict != NotVerified {
		t.Errorf("%v: %+v", err, got)
	}
}

func TestSpansCoverEverySecondInFewReadings(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		seconds := make([]uint32, 1+r.IntN(300))
		for i := range seconds {
			seconds[i] = uint32(1.7e9) + r.Uint32N(1<<(5+r.Uint32N(24)))
		}
		list := spans(append([]uint32(nil), seconds...))
		if len(list) > 32 {
			t.Fatal(len(list))
		}
		for _, s := range seconds {
			at, in := time.Unix(int64(s), 999_999_000), 0
			for _, x := range list {
				if !at.Before(x.from) && at.Before(x.to) && !time.Unix(int64(s), 0).Before(x.from) {
					in++
				}
			}
			if in != 1 {
				t.Fatalf("second %d is in %d spans", s, in)
			}
		}
	}
}

func TestProgressHasRateAndTimeLeft(t *testing.T) {
	p := &Progress{from: time.Unix(0, 0), to: time.Unix(1000, 0)}
	p.begin("reading ZITADEL", "events", false)
	p.n.Store(5000)
	p.reached(time.Unix(250, 0))
	if got := p.Line(p.phase.Load().began.Add(10 * time.Second)); got != "reading ZITADEL: 5,000 events  500/s  25%  about 30s left" {
		t.Error(got)
	}
}

// Foreign bytes are never a reason to stop, to panic, or to find equal what differs.
func FuzzForeignLines(f *testing.F) {
	s := newScene(f, 12, nil)
	for _, l := range s.lines[:4] {
		f.Add(l)
		f.Add(`{"_source":` + l + `}`)
		f.Add(`{"result":{"_raw":` + fmt.Sprintf("%q", l) + `}}`)
		f.Add(`{"hits":{"hits":[{"_source":` + l + `},1,null]}}`)
		f.Add(strings.Replace(l, `"payload":{`, `"payload":{"payload":{"a":[`, 1))
	}
	f.Add(`{"data":{"result":[{"values":[["1","{}"],[],1]}]}}`)
	for _, id := range []string{"\\u0000", "\xff", strings.Repeat("x", 201), "", "a/b"} { // ids that no event can have
		f.Add(strings.Replace(s.lines[0], `"test/`, `"test/`+id, 1))
	}
	f.Add("[\n1,\n{}\n]")
	f.Add("{\n\"a\":\n1}\n{")
	f.Add("\x1f\x8b\x08")
	good := strings.Join(s.lines, "\n") + "\n"
	f.Fuzz(func(t *testing.T, text string) {
		v := newRun(s.options(t, good))
		v.o.Inputs, v.format = []*Input{input(good), input(text)}, s.format
		r, err := v.run(t.Context())
		if err != nil {
			if r.Verdict != NotVerified {
				t.Fatal(err, r.Verdict)
			}
			return
		}
		c := &r.Copy
		sum := c.Equal + c.Outside + c.Filtered + c.NoEvents + c.Unknown + c.Retention + c.Late + r.Redacted.Count + r.Pseudonyms.Count + r.Altered.Count + r.Foreign.Count + r.Broken.Count
		for _, n := range c.Instances {
			sum += n
		}
		if sum < c.Records || r.Missing.Count > 0 {
			t.Fatalf("%d records, %d decided: %+v", c.Records, sum, r)
		}
		if c.Equal > 12 && r.Doubled.Count == 0 {
			t.Fatalf("%d records are equal to 12 events, and none is doubled", c.Equal)
		}
	})
}
