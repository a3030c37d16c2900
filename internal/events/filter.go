package events

import (
	"fmt"
	"slices"
	"strings"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// Limits of the API: more is an InvalidArgument (facts: 2).
const (
	maxEventTypes     = 30
	maxAggregateTypes = 10
)

// filter splits what the user wants between the request, where the API can
// say it, and a check of every event here, where it cannot.
type filter struct {
	// The part in the request.
	types          []string
	aggregateTypes []string
	aggregateID    string
	resourceOwner  string
	editorUserID   string

	// The part here; nil sets pass everything.
	eventTypes, excluded    map[string]bool
	typesHere, idsHere      map[string]bool
	ownersHere, editorsHere map[string]bool

	// wholeAggregates: every event of an aggregate is seen, so that a jump in
	// its sequence means something.
	wholeAggregates bool
	// tiedOrder: answers are ordered by sequence, which two aggregates of one
	// id share, so that their order proves nothing.
	tiedOrder bool
}

// newFilter splits the settings' filter. known are the event types that
// ZITADEL registers: it derives the aggregate types of a request from its
// event types, so that one it does not know matches nothing, without a word;
// such a filter is applied here.
func newFilter(s *config.Settings, known []string) filter {
	f := filter{
		eventTypes:  set(s.EventTypes),
		excluded:    set(s.ExcludeEventTypes),
		typesHere:   set(s.AggregateTypes),
		idsHere:     set(s.AggregateIDs),
		ownersHere:  set(s.ResourceOwners),
		editorsHere: set(s.EditorUserIDs),
	}
	if n := len(s.EventTypes); n <= maxEventTypes && containsAll(known, s.EventTypes) {
		f.types = s.EventTypes
	}
	if len(s.AggregateTypes) <= maxAggregateTypes {
		f.aggregateTypes = s.AggregateTypes
	}
	// The API takes one value of each of these.
	if len(s.AggregateIDs) == 1 {
		f.aggregateID = s.AggregateIDs[0]
	}
	if len(s.ResourceOwners) == 1 {
		f.resourceOwner = s.ResourceOwners[0]
	}
	if len(s.EditorUserIDs) == 1 {
		f.editorUserID = s.EditorUserIDs[0]
	}
	// An owner or an editor can change within an aggregate: a jump in the
	// sequence then says nothing.
	f.wholeAggregates = f.resourceOwner == "" && f.editorUserID == "" && f.types == nil
	f.tiedOrder = f.aggregateID != "" && len(f.aggregateTypes) != 1
	return f
}

func containsAll(known, wanted []string) bool {
	for _, v := range wanted {
		if !slices.Contains(known, v) {
			return false
		}
	}
	return true
}

func set(values []string) map[string]bool {
	if len(values) == 0 {
		return nil
	}
	m := make(map[string]bool, len(values))
	for _, v := range values {
		m[v] = true
	}
	return m
}

// request returns a new request that carries the API's part of the filter.
func (f *filter) request() *adminpb.ListEventsRequest {
	return &adminpb.ListEventsRequest{
		EventTypes:     f.types,
		AggregateTypes: f.aggregateTypes,
		AggregateId:    f.aggregateID,
		ResourceOwner:  f.resourceOwner,
		EditorUserId:   f.editorUserID,
	}
}

// passes reports whether the user wants e.
func (f *filter) passes(e *eventpb.Event) bool {
	typ := e.GetType().GetType()
	agg := e.GetAggregate()
	return wanted(f.eventTypes, typ) && !f.excluded[typ] &&
		wanted(f.typesHere, agg.GetType().GetType()) &&
		wanted(f.idsHere, agg.GetId()) &&
		wanted(f.ownersHere, agg.GetResourceOwner()) &&
		wanted(f.editorsHere, e.GetEditor().GetUserId())
}

func wanted(m map[string]bool, v string) bool { return m == nil || m[v] }

// describe is the filter in words, kept in the state so that a change of it
// can be told.
func describe(s *config.Settings) string {
	var b strings.Builder
	part := func(name string, values []string) {
		if len(values) > 0 {
			values = slices.Sorted(slices.Values(values))
			fmt.Fprintf(&b, "%s=%s ", name, strings.Join(values, ","))
		}
	}
	part("event_types", s.EventTypes)
	part("exclude_event_types", s.ExcludeEventTypes)
	part("aggregate_types", s.AggregateTypes)
	part("aggregate_ids", s.AggregateIDs)
	part("resource_owners", s.ResourceOwners)
	part("editor_user_ids", s.EditorUserIDs)
	return strings.TrimSpace(b.String())
}
