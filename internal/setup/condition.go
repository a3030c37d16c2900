package setup

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	actionpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/action/v2"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// A condition is that of an execution for events, as ZITADEL writes its id:
// "event", "event/user.*" or "event/user.human.added". For calls, see calls.go.
type condition string

const allEvents condition = "event"

const (
	ofEvents = "event/"
	groupEnd = ".*"
)

// conditionOf returns false if the execution is not for events.
func conditionOf(c *actionpb.Condition) (condition, bool) {
	event := c.GetEvent()
	switch {
	case event == nil:
		return "", false
	case event.GetAll():
		return allEvents, true
	case event.GetGroup() != "":
		return condition(ofEvents + strings.TrimSuffix(event.GetGroup(), groupEnd) + groupEnd), true
	}
	return condition(ofEvents + event.GetEvent()), event.GetEvent() != ""
}

func (c condition) proto() *actionpb.Condition {
	if kind, method := c.call(); kind != "" {
		return callProto(kind, method)
	}
	event := &actionpb.EventExecution{}
	name, isGroup := strings.CutSuffix(strings.TrimPrefix(string(c), ofEvents), groupEnd)
	switch {
	case c == allEvents:
		event.Condition = &actionpb.EventExecution_All{All: true}
	case isGroup:
		event.Condition = &actionpb.EventExecution_Group{Group: name}
	default:
		event.Condition = &actionpb.EventExecution_Event{Event: name}
	}
	return &actionpb.Condition{ConditionType: &actionpb.Condition_Event{Event: event}}
}

// item is its name in the option events.
func (c condition) item() string {
	if c == allEvents {
		return "all"
	}
	return strings.TrimPrefix(string(c), ofEvents)
}

func (c condition) String() string {
	if c == allEvents {
		return "all events"
	}
	if kind, _ := c.call(); kind != "" {
		return string(c)
	}
	return "events " + c.item()
}

// covers reports whether events of other, a different condition, come to c if no
// closer execution exists. As in ZITADEL, any prefix counts.
func (c condition) covers(other condition) bool {
	return c != other && strings.HasPrefix(strings.TrimSuffix(string(other), groupEnd), strings.TrimSuffix(string(c), groupEnd))
}

// EventsError is a wrong item of the option events.
type EventsError struct{ Item, Fix string }

func (e *EventsError) Error() string {
	return fmt.Sprintf("events: %q is neither an event type of this ZITADEL nor a group: %s", e.Item, e.Fix)
}

// conditions returns what items mean, given the event types that ZITADEL knows.
// The wide conditions come first.
func conditions(items, types []string) ([]condition, error) {
	var list []condition
	for _, item := range items {
		group, isGroup := strings.CutSuffix(item, groupEnd)
		switch {
		case item == "all":
			list = append(list, allEvents)
		case !isGroup && slices.Contains(types, item):
			list = append(list, condition(ofEvents+item))
		case slices.ContainsFunc(types, func(t string) bool { return strings.HasPrefix(t, group+".") }):
			list = append(list, condition(ofEvents+group+groupEnd))
		default:
			fix := "zitadel-siem pull shows the types that exist"
			if near := cmp.Or(config.Nearest(item, types), config.Nearest(item, groups(types))); near != "" {
				fix = "did you mean " + near + "?"
			}
			return nil, &EventsError{item, fix}
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// groups returns all prefixes of types that end before a dot.
func groups(types []string) (all []string) {
	for _, t := range types {
		for i, c := range t {
			if c == '.' {
				all = append(all, t[:i])
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
