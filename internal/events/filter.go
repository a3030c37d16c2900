package events

import (
	"fmt"
	"slices"
	"strings"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// Limits of the API: it refuses more with InvalidArgument.
const (
	maxEventTypes     = 30
	maxAggregateTypes = 10
)

// filter selects the events that the user wants. One part is in the request, as far as the API
// supports it. The other part checks every event here.
type filter struct {
	// The part in the request.
	types          []string
	aggregateTypes []string
	aggregateID    string
	resourceOwner  string
	editorUserID   string

	// The part here; nil sets pass everything.
	eventTypes, excluded    *typeSet
	typesHere, idsHere      map[string]bool
	ownersHere, editorsHere map[string]bool

	// wholeAggregates: the answers hold every event of an aggregate, so that a jump in
	// its sequence means that one is missing.
	wholeAggregates bool
	// tiedOrder: answers are ordered by sequence. Two aggregates with one id can have
	// the same sequences, so that the order proves nothing.
	tiedOrder bool
}

// newFilter splits the filter of the settings. known are the event types that ZITADEL
// registers. ZITADEL derives the aggregate types of a request from the event types, so that
// a type that it does not know matches nothing, without an error. Such a filter is applied
// here.
//
// A filter with a prefix such as user.human.* is applied here too. A list of the known types
// cannot replace the prefix: it lacks types that an upgrade of ZITADEL adds, and types in the
// store that are no longer registered.
func newFilter(s *config.Settings, known []string) filter {
	f := filter{
		eventTypes:  newTypeSet(s.EventTypes),
		excluded:    newTypeSet(s.ExcludeEventTypes),
		typesHere:   set(s.AggregateTypes),
		idsHere:     set(s.AggregateIDs),
		ownersHere:  set(s.ResourceOwners),
		editorsHere: set(s.EditorUserIDs),
	}
	if n := len(s.EventTypes); n <= maxEventTypes && !slices.ContainsFunc(s.EventTypes, func(t string) bool { return !slices.Contains(known, t) }) {
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
	// Owner and editor can change within an aggregate, so that with one of them in the
	// request a jump in the sequence means nothing.
	f.wholeAggregates = f.resourceOwner == "" && f.editorUserID == "" && f.types == nil
	f.tiedOrder = f.aggregateID != "" && len(f.aggregateTypes) != 1
	return f
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

// typeSet is a set of event types, some of them given by a prefix.
type typeSet struct {
	types    map[string]bool
	prefixes []string
}

func newTypeSet(items []string) *typeSet {
	if len(items) == 0 {
		return nil
	}
	s := &typeSet{types: map[string]bool{}}
	for _, item := range items {
		if prefix, ok := config.TypePrefix(item); ok {
			s.prefixes = append(s.prefixes, prefix)
		} else {
			s.types[item] = true
		}
	}
	return s
}

func (s *typeSet) has(typ string) bool {
	return s.types[typ] || slices.ContainsFunc(s.prefixes, func(prefix string) bool { return strings.HasPrefix(typ, prefix) })
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

// asked is the API's part of the filter as text. It can change without the settings, when an
// upgrade of ZITADEL registers an event type.
func (f *filter) asked() string {
	one := func(v string) []string {
		if v == "" {
			return nil
		}
		return []string{v}
	}
	return Describe(&config.Settings{EventTypes: f.types, AggregateTypes: f.aggregateTypes, AggregateIDs: one(f.aggregateID),
		ResourceOwners: one(f.resourceOwner), EditorUserIDs: one(f.editorUserID)})
}

// passes reports whether the user wants e.
func (f *filter) passes(e *eventpb.Event) bool {
	typ := e.GetType().GetType()
	agg := e.GetAggregate()
	return (f.eventTypes == nil || f.eventTypes.has(typ)) &&
		(f.excluded == nil || !f.excluded.has(typ)) &&
		wanted(f.typesHere, agg.GetType().GetType()) &&
		wanted(f.idsHere, agg.GetId()) &&
		wanted(f.ownersHere, agg.GetResourceOwner()) &&
		wanted(f.editorsHere, e.GetEditor().GetUserId())
}

// Passes reports whether the filter of the settings wants e.
func Passes(s *config.Settings, e *eventpb.Event) bool {
	f := newFilter(s, nil)
	return f.passes(e)
}

func wanted(m map[string]bool, v string) bool { return m == nil || m[v] }

// Describe is the filter as text. The state keeps it, so that a change is noticed.
func Describe(s *config.Settings) string {
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
