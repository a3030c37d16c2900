package setup

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	actionpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/action/v2"

	"github.com/zitadel-siem/zitadel-siem/internal/calls"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// The conditions of executions for calls, as ZITADEL writes their ids: "request",
// "request/zitadel.user.v2.UserService", "request/zitadel.user.v2.UserService/AddHumanUser",
// and the same with "response". As for events, the closest one runs alone.
const (
	ofRequests  = "request"
	ofResponses = "response"
)

// callConditionOf returns false if the execution is not for calls.
func callConditionOf(c *actionpb.Condition) (condition, bool) {
	switch {
	case c.GetRequest() != nil:
		return callCondition(ofRequests, c.GetRequest())
	case c.GetResponse() != nil:
		return callCondition(ofResponses, c.GetResponse())
	}
	return "", false
}

func callCondition(kind string, c interface {
	GetMethod() string
	GetService() string
	GetAll() bool
}) (condition, bool) {
	switch {
	case c.GetMethod() != "":
		return condition(kind + c.GetMethod()), true // begins with a slash
	case c.GetService() != "":
		return condition(kind + "/" + c.GetService()), true
	}
	return condition(kind), c.GetAll()
}

// call returns the kind and the rest: a method with its slash, a service, or nothing for all.
// The kind is empty for a condition of events.
func (c condition) call() (kind, rest string) {
	for _, kind := range []string{ofRequests, ofResponses} {
		rest, ok := strings.CutPrefix(string(c), kind)
		switch {
		case !ok || rest != "" && rest[0] != '/':
		case strings.Count(rest, "/") == 1:
			return kind, rest[1:]
		default:
			return kind, rest
		}
	}
	return "", ""
}

func callProto(kind, rest string) *actionpb.Condition {
	if kind == ofRequests {
		r := &actionpb.RequestExecution{Condition: &actionpb.RequestExecution_All{All: true}}
		switch {
		case strings.HasPrefix(rest, "/"):
			r.Condition = &actionpb.RequestExecution_Method{Method: rest}
		case rest != "":
			r.Condition = &actionpb.RequestExecution_Service{Service: rest}
		}
		return &actionpb.Condition{ConditionType: &actionpb.Condition_Request{Request: r}}
	}
	r := &actionpb.ResponseExecution{Condition: &actionpb.ResponseExecution_All{All: true}}
	switch {
	case strings.HasPrefix(rest, "/"):
		r.Condition = &actionpb.ResponseExecution_Method{Method: rest}
	case rest != "":
		r.Condition = &actionpb.ResponseExecution_Service{Service: rest}
	}
	return &actionpb.Condition{ConditionType: &actionpb.Condition_Response{Response: r}}
}

// callConditions are requests and responses: a call that fails has no response, and only a
// response names the date of the change.
func callConditions(methods []string) (list []condition) {
	for _, kind := range []string{ofRequests, ofResponses} {
		for _, m := range methods {
			list = append(list, condition(kind+m))
		}
	}
	return list
}

// MethodsError is a wrong item of the option methods.
type MethodsError struct{ Item, Problem string }

func (e *MethodsError) Error() string { return fmt.Sprintf("methods: %q %s", e.Item, e.Problem) }

// methods returns what the option methods means in this ZITADEL, in their order.
func (r *run) methods(ctx context.Context) ([]string, error) {
	known, err := r.client.Methods(ctx)
	if err != nil {
		return nil, err
	}
	slices.Sort(known)
	var list []string
	for _, item := range r.Methods {
		found, err := methodsOf(item, known)
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// methodsOf returns the methods of an item: all that write, those of a service, or one.
func methodsOf(item string, known []string) (list []string, err error) {
	services := map[string]bool{}
	for _, m := range known {
		service := m[1:max(1, strings.LastIndexByte(m, '/'))]
		services[service] = true
		if service == item && !calls.Reading(m) {
			list = append(list, m)
		}
	}
	method := "/" + strings.TrimPrefix(item, "/")
	switch {
	case item == config.WritingMethods:
		for _, m := range calls.Methods() {
			if slices.Contains(known, m) { // an older ZITADEL has fewer
				list = append(list, m)
			}
		}
		return list, nil
	case services[item] && len(list) == 0:
		return nil, &MethodsError{item, "has reading methods only, and those are not sent: they would flood ZITADEL and the listener"}
	case services[item]:
		return list, nil
	case !slices.Contains(known, method):
		fix := "zitadel.session.v2.SessionService is an example of a service, zitadel.user.v2.UserService/AddHumanUser of a method"
		names, name := known, method
		if !strings.Contains(strings.TrimPrefix(item, "/"), "/") {
			names, name = slices.Sorted(maps.Keys(services)), item
		}
		if near := config.Nearest(name, names); near != "" {
			fix = "did you mean " + strings.TrimPrefix(near, "/") + "?"
		}
		return nil, &MethodsError{item, "is neither a service nor a method of this ZITADEL: " + fix}
	case calls.Reading(method):
		return nil, &MethodsError{item, "is a reading method: these are not sent, because they would flood ZITADEL and the listener"}
	}
	return []string{method}, nil
}

// step is what is done to the executions of one service at once: there are hundreds of them.
type step struct {
	kind, service string
	conditions    []condition
	targets       [][]string
}

func (s *step) String() string {
	methods := "1 method"
	if n := len(s.conditions); n > 1 {
		methods = fmt.Sprint(n, " methods")
	}
	return fmt.Sprintf("%ss of %s of %s", s.kind, methods, s.service)
}

// routeCalls changes the executions for calls so that our target is in those of wanted, and
// in no other.
func (r *run) routeCalls(ctx context.Context, all table, wanted []condition) error {
	own := newID
	if r.target != nil {
		own = r.target.ID
	}
	var add, kept, out []*step
	for _, c := range wanted {
		targets, text := all.with(c, own)
		if text == "" {
			kept = c.collect(kept, targets)
		} else {
			add = c.collect(add, targets)
		}
	}
	for _, s := range add {
		if err := r.setAll(ctx, all, s, fmt.Sprintf("send %s to target %s", s, r.Name)); err != nil {
			return err
		}
	}
	for _, s := range kept {
		r.Say(Kept, fmt.Sprintf("%s go to target %s", s, r.Name))
	}
	// Methods come before their service, and services before all: what a method inherits is
	// known then.
	isWanted := map[condition]bool{}
	for _, c := range wanted {
		isWanted[c] = true
	}
	for _, c := range slices.Backward(slices.Sorted(maps.Keys(all))) {
		if slices.Contains(all[c], own) && !isWanted[c] {
			out = c.collect(out, all.less(c, own))
		}
	}
	for _, s := range out {
		if err := r.setAll(ctx, all, s, fmt.Sprintf("take target %s out of the executions for %s", r.Name, s)); err != nil {
			return err
		}
	}
	return nil
}

// collect adds c to the step of its service.
func (c condition) collect(steps []*step, targets []string) []*step {
	kind, rest := c.call()
	service := rest
	if i := strings.LastIndexByte(rest, '/'); i > 0 {
		service = rest[1:i]
	}
	service = cmp.Or(service, "all services")
	i := slices.IndexFunc(steps, func(s *step) bool { return s.kind == kind && s.service == service })
	if i < 0 {
		i = len(steps)
		steps = append(steps, &step{kind: kind, service: service})
	}
	steps[i].conditions = append(steps[i].conditions, c)
	steps[i].targets = append(steps[i].targets, targets)
	return steps
}

func (r *run) setAll(ctx context.Context, all table, s *step, text string) error {
	return r.do(text, func() error {
		for i, c := range s.conditions {
			if err := r.client.SetExecution(ctx, c.proto(), s.targets[i]); err != nil {
				return fmt.Errorf("%s: %w; what was done stays, run setup again", c, err)
			}
			all.set(c, s.targets[i])
		}
		return nil
	})
}

// sayCallsStay says that a run without --calls leaves executions for calls.
func (r *run) sayCallsStay(all table) {
	n := 0
	for _, targets := range all {
		if r.target != nil && slices.Contains(targets, r.target.ID) {
			n++
		}
	}
	if n > 0 {
		r.Say(Note, fmt.Sprintf("%d executions for API calls go to target %s and stay; to change them: --calls, to remove them: --calls --remove", n, r.Name))
	}
}

// warnOfCalls says what calls cost.
func (r *run) warnOfCalls(methods int) {
	r.Say(Note, fmt.Sprintf("this costs ZITADEL two more HTTP requests to %s for each call of these %d methods, with request and response in the clear, passwords and tokens "+
		"included (the listener keeps neither); they are sent in the background, but not limited: an endpoint that is slow or away costs a connection and up to 10 s each. "+
		"ZITADEL also loads the %d executions with its instance", r.Endpoint.Host, methods, 2*methods))
}
