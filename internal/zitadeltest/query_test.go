package zitadeltest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"
)

func list(t testing.TB, d *Direct, req *adminpb.ListEventsRequest) []*eventpb.Event {
	t.Helper()
	events, err := d.ListEvents(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func between(since, until time.Time) *adminpb.ListEventsRequest {
	r := &adminpb.ListEventsRequestCreationDateRange{}
	if !since.IsZero() {
		r.Since = timestamppb.New(since)
	}
	if !until.IsZero() {
		r.Until = timestamppb.New(until)
	}
	return &adminpb.ListEventsRequest{Asc: true, CreationDateFilter: &adminpb.ListEventsRequest_Range{Range: r}}
}

func keys(events []*eventpb.Event) string {
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintf(&b, "%s/%d ", e.GetAggregate().GetId(), e.GetSequence())
	}
	return strings.TrimSpace(b.String())
}

// A range reads its own rows, an open end the whole table, an aggregate its own.
func TestRowsScannedFollowTheIndexes(t *testing.T) {
	from := time.Unix(1.7e9, 0)
	store := NewStore()
	store.Fill(Synthetic{Events: 10_000, From: from, PerTransaction: 5})
	srv := NewServer(store, Options{})
	d := srv.Direct()
	aggregate := between(time.Time{}, time.Time{})
	aggregate.AggregateId = list(t, d, between(from.Add(-1000), from.Add(1000)))[0].GetAggregate().GetId()
	for name, c := range map[string]struct {
		req  *adminpb.ListEventsRequest
		rows int64
	}{
		"range":     {between(from, from.Add(11*time.Millisecond)), 50},
		"empty":     {between(from.Add(time.Hour), from.Add(2*time.Hour)), 0},
		"no since":  {between(time.Time{}, from.Add(time.Millisecond)), 10_000},
		"no until":  {between(from.Add(time.Minute), time.Time{}), 10_000},
		"aggregate": {aggregate, 10},
	} {
		srv.ResetCounts()
		list(t, d, c.req)
		if got := srv.Count("ListEvents"); got.Rows != c.rows || got.Calls != 1 {
			t.Errorf("%s: %+v, want %d rows", name, got, c.rows)
		}
	}
}

func TestLateEventsStandWhereTheyWereCreated(t *testing.T) {
	at := time.Unix(1.7e9, 0)
	store := NewStore()
	d := NewServer(store, Options{}).Direct()
	ev := func(id string, after time.Duration) Event {
		return Event{AggregateType: "user", AggregateID: id, Type: "user.locked", CreatedAt: at.Add(after)}
	}
	early := store.Begin(at.Add(2 * time.Second))
	store.Append(ev("a", time.Second), ev("a", 3*time.Second))
	if got := keys(list(t, d, between(at, at.Add(time.Minute)))); got != "a/1 a/2" {
		t.Fatal(got)
	}
	early.Push(ev("a", 0), ev("b", 0))
	early.Commit()
	if got := keys(list(t, d, between(at, at.Add(time.Minute)))); got != "a/1 a/3 b/1 a/2" {
		t.Error(got)
	}
}

func TestFutureAndHiddenEventsBecomeVisible(t *testing.T) {
	now := time.Unix(1.7e9, 0)
	store := NewStore()
	store.SetClock(func() time.Time { return now })
	d := NewServer(store, Options{}).Direct()
	ev := Event{AggregateType: "user", AggregateID: "a", Type: "user.locked", CreatedAt: now.Add(time.Second)}
	hidden := ev
	hidden.CreatedAt, hidden.VisibleFrom = now, now.Add(2*time.Second)
	store.Append(ev, hidden)
	for _, want := range []string{"", "a/1", "a/2 a/1"} {
		if got := keys(list(t, d, &adminpb.ListEventsRequest{Asc: true})); got != want {
			t.Errorf("at %v: %q, want %q", now, got, want)
		}
		now = now.Add(time.Second)
	}
}

// The store answers like one that filters all rows, sorts them and cuts the page.
func TestSearchIsFilterSortAndLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := time.Unix(1.7e9, 0)
		small := func(label string) int { return rapid.IntRange(0, 5).Draw(t, label) }
		store := NewStore()
		skewed := rapid.Bool().Draw(t, "skewed") // otherwise the index is the order
		for range rapid.IntRange(1, 10).Draw(t, "appends") {
			var events []Event
			for range rapid.IntRange(1, 6).Draw(t, "events") {
				created := base.Add(time.Duration(small("at")) * time.Microsecond)
				e := Event{
					AggregateType: []string{"user", "org"}[small("aggregate type")%2],
					AggregateID:   fmt.Sprint(small("aggregate") % 3),
					Type:          []string{"user.locked", "org.added", "odd"}[small("type")%3],
					EditorID:      fmt.Sprint(small("editor") % 2),
					ResourceOwner: fmt.Sprint(small("owner") % 2),
					CreatedAt:     created,
				}
				if skewed && small("skew") == 0 {
					e.Position = created.Add(time.Duration(small("position")) * time.Microsecond)
				}
				events = append(events, e)
			}
			store.Append(events...)
		}
		req := &adminpb.ListEventsRequest{
			Asc:      rapid.Bool().Draw(t, "asc"),
			Limit:    uint32(rapid.IntRange(0, 40).Draw(t, "limit")),
			Sequence: uint64(small("sequence")),
		}
		bound := func(label string) *timestamppb.Timestamp {
			return timestamppb.New(base.Add(time.Duration(rapid.IntRange(-1000, 7000).Draw(t, label))))
		}
		switch small("bounds") {
		case 0:
			req.CreationDateFilter = &adminpb.ListEventsRequest_From{From: bound("from")}
		case 1, 2:
			req.CreationDateFilter = &adminpb.ListEventsRequest_Range{
				Range: &adminpb.ListEventsRequestCreationDateRange{Since: bound("since"), Until: bound("until")}}
		}
		if small("filter by aggregate") == 0 {
			req.AggregateId = "1"
		}
		if small("filter by type") == 0 {
			req.EventTypes = []string{"user.locked", "unknown"}
		}
		if small("filter by editor") == 0 {
			req.EditorUserId = "1"
		}

		got, _, err := store.search(t.Context(), newQuery(req, time.Time{}))
		if err != nil {
			t.Fatal(err)
		}
		q := newQuery(req, time.Time{})
		var want []row
		for i := range store.rows {
			if q.matches(&store.rows[i]) {
				want = append(want, store.rows[i])
			}
		}
		key := func(r row) string { return fmt.Sprintf("%s %s %d", r.aggregate.typ, r.aggregate.id, r.sequence) }
		slices.SortStableFunc(want, func(a, b row) int {
			if req.GetAggregateId() != "" {
				return directed(int(a.sequence)-int(b.sequence), !q.asc)
			}
			return compareLog(&a, &b, !q.asc)
		})
		want = want[:min(len(want), q.limit)]
		if len(got) != len(want) {
			t.Fatalf("%d rows, want %d", len(got), len(want))
		}
		for i := range want {
			if req.GetAggregateId() == "" && compareLog(&got[i], &want[i], false) != 0 {
				t.Fatalf("row %d is %s, want %s", i, key(got[i]), key(want[i]))
			}
			if req.GetAggregateId() != "" && got[i].sequence != want[i].sequence {
				t.Fatalf("row %d is %s, want %s", i, key(got[i]), key(want[i]))
			}
		}
	})
}

// A type filter implies the aggregate types to which the types are registered,
// as long as no aggregate type is named. An unregistered type implies none.
func TestEventTypesImplyTheirAggregateTypes(t *testing.T) {
	at := time.Unix(1.7e9, 0)
	store := NewStore()
	store.Append(
		Event{AggregateType: "user", AggregateID: "right", Type: "user.locked", CreatedAt: at},
		Event{AggregateType: "org", AggregateID: "strange", Type: "user.locked", CreatedAt: at},
		Event{AggregateType: "user", AggregateID: "odd", Type: "odd", CreatedAt: at},
	)
	d := NewServer(store, Options{}).Direct()
	for _, c := range []struct {
		eventTypes, aggregateTypes []string
		want                       string
	}{
		{[]string{"user.locked"}, nil, "right/1"},
		{[]string{"user.locked"}, []string{"org"}, "strange/1"},
		{[]string{"odd"}, nil, ""},
		{[]string{"odd", "user.locked"}, nil, "right/1 odd/1"},
		{[]string{"odd"}, []string{"user"}, "odd/1"},
		{nil, []string{"user"}, "right/1 odd/1"},
	} {
		req := &adminpb.ListEventsRequest{Asc: true, EventTypes: c.eventTypes, AggregateTypes: c.aggregateTypes}
		if got := keys(list(t, d, req)); got != c.want {
			t.Errorf("%v of %v: %q, want %q", c.eventTypes, c.aggregateTypes, got, c.want)
		}
	}
}

// However many events come at once, and in whatever order, the log is in order.
func TestLargeAppendsAreSorted(t *testing.T) {
	at := time.Unix(1.7e9, 0)
	store := NewStore()
	var events []Event
	for i := range 500 {
		events = append(events, Event{AggregateType: "user", AggregateID: "a", Type: "user.locked",
			CreatedAt: at.Add(time.Duration(i*37%500) * time.Second)})
	}
	store.Append(events...)
	page := list(t, NewServer(store, Options{}).Direct(), between(at, time.Time{}))
	for i, e := range page {
		if want := at.Add(time.Duration(i+1) * time.Second); !e.GetCreationDate().AsTime().Equal(want) {
			t.Fatalf("event %d was created at %v, want %v", i, e.GetCreationDate().AsTime(), want)
		}
	}
	if len(page) != 499 {
		t.Errorf("%d events", len(page))
	}
}

// A time within the first second of 1970 is ignored, in both directions.
func TestEpochIsNoBound(t *testing.T) {
	store := NewStore()
	store.Append(Event{AggregateType: "user", AggregateID: "a", Type: "user.locked", CreatedAt: time.Unix(1.7e9, 0)})
	d := NewServer(store, Options{}).Direct()
	for _, at := range []time.Time{time.Unix(0, 0), time.Unix(0, 999_999_999)} {
		req := between(time.Time{}, at)
		req.Asc = false
		if got := keys(list(t, d, req)); got != "a/1" {
			t.Errorf("until %v: %q", at.UTC(), got)
		}
	}
	if got := keys(list(t, d, between(time.Time{}, time.Unix(1, 0)))); got != "" {
		t.Errorf("until a second later: %q", got)
	}
}

// Retention hides events that are as old as it or older, and never widens a range.
func TestRetentionHidesSilently(t *testing.T) {
	now := time.Unix(1.7e9, 0)
	store := NewStore()
	for age := range 5 {
		store.Append(Event{AggregateType: "user", AggregateID: fmt.Sprint(age), Type: "user.locked", CreatedAt: now.Add(-time.Duration(age) * time.Minute)})
	}
	srv := NewServer(store, Options{Now: func() time.Time { return now }})
	srv.SetFaults(Faults{Retention: 3 * time.Minute})
	d := srv.Direct()
	if got := keys(list(t, d, &adminpb.ListEventsRequest{Asc: true})); got != "2/1 1/1 0/1" {
		t.Error(got)
	}
	if got := keys(list(t, d, between(now.Add(-2*time.Minute), time.Time{}))); got != "1/1 0/1" {
		t.Error(got)
	}
}

// The recorded transaction of 516 events comes whole when its date is asked for.
func TestGroupOfOneCreationDateCanBeAskedFor(t *testing.T) {
	events := recorded()
	at := events[200].GetCreationDate().AsTime()
	d := NewServer(recordedStore(), Options{}).Direct()
	if got := len(list(t, d, between(at.Add(-time.Microsecond), at.Add(time.Microsecond)))); got != 516 {
		t.Errorf("%d events", got)
	}
	if got := len(list(t, d, between(at, at.Add(time.Microsecond)))); got != 0 {
		t.Errorf("%d events at an exclusive bound", got)
	}
}
