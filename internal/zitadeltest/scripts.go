package zitadeltest

import (
	"cmp"
	"slices"
	"sync"
	"time"

	actionpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/action"
	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	managementpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	objectpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/object"
	orgpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/org"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// ZITADEL's messages about Actions V1, in English.
var (
	errOrgUnknown      = failure(codes.PermissionDenied, "AUTH-Bs7Ds", "Organisation doesn't exist")
	errScriptTaken     = failure(codes.AlreadyExists, "V3-DKcYh", "Errors.Action.AlreadyExists")
	errScriptUnchanged = failure(codes.FailedPrecondition, "ACTION-dg4t2", "No changes")
	errScriptChange    = failure(codes.NotFound, "COMMAND-Sfg2t", "Action not found")
	errScriptDelete    = failure(codes.NotFound, "COMMAND-Dgh4h", "Action not found")
	errScriptActivate  = failure(codes.NotFound, "COMMAND-Aa22g", "Action not found")
	errScriptActive    = failure(codes.FailedPrecondition, "COMMAND-J53zh", "Action is not inactive")
	errFlowMissing     = failure(codes.InvalidArgument, "COMMAND-Dfhj5", "FlowType missing")
	errTriggerWrong    = failure(codes.InvalidArgument, "COMMAND-Dfgh6", "TriggerType is invalid")
	errFlowUnchanged   = failure(codes.FailedPrecondition, "COMMAND-Nfh52", "No Changes")
	errScriptsMissing  = failure(codes.FailedPrecondition, "COMMAND-dg422", "ActionIDs do not exist")
)

// ZITADEL's limits of an action.
const (
	maxScript        = 40000 // bytes
	maxScriptName    = 200
	maxScriptTimeout = 20 * time.Second // also what it uses if there is none
)

// triggersOf are the triggers that each flow may have.
var triggersOf = map[string][]string{"1": {"1", "2", "3"}, "2": {"4", "5"}, "3": {"1", "2", "3"}, "4": {"6"}}

// Orgs are the organizations of the instance with their actions and flows (Actions V1),
// as far as a client that installs scripts needs them. No script is run.
type Orgs struct {
	mu      sync.Mutex
	orgs    []*org // the first is that of every user
	changes int
}

// trigger is one list of actions.
type trigger struct{ flow, trigger string }

type org struct {
	id, name string
	scripts  []*actionpb.Action
	flows    map[trigger][]string // ids, as they are shown and run
	// written is what SetTriggerActions compares with. ZITADEL's write model keeps the
	// ids of deleted actions.
	written map[trigger][]string
}

// Orgs of the server. It begins with one, that of all users.
func (s *Server) Orgs() *Orgs { return s.orgs }

func newOrgs() *Orgs {
	o := &Orgs{}
	o.Add("ZITADEL")
	return o
}

// Add makes an organization and returns its id.
func (o *Orgs) Add(name string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	id := newID()
	o.orgs = append(o.orgs, &org{id: id, name: name, flows: map[trigger][]string{}, written: map[trigger][]string{}})
	return id
}

// First is the id of the organization that all users belong to.
func (o *Orgs) First() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.orgs[0].id
}

// Changes counts events that actions and flows have written.
func (o *Orgs) Changes() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.changes
}

// Script is the action of that name in an organization, or nil.
func (o *Orgs) Script(org, name string) *actionpb.Action {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, a := range o.find(org).scripts {
		if a.GetName() == name {
			return proto.CloneOf(a)
		}
	}
	return nil
}

// Flow has the names of the actions of a trigger, in their order.
func (o *Orgs) Flow(org, flow, on string) (names []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, a := range o.find(org).shown(trigger{flow, on}) {
		names = append(names, a.GetName())
	}
	return names
}

// Do changes something in an organization for another user.
func (o *Orgs) Do(org string, req proto.Message) (proto.Message, error) { return o.serve(org, req) }

func (o *Orgs) find(id string) *org {
	for _, org := range o.orgs {
		if org.id == id {
			return org
		}
	}
	return nil
}

func (o *Orgs) exists(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.find(id) != nil
}

// serve returns nil for a request that is not about organizations.
func (o *Orgs) serve(id string, req proto.Message) (proto.Message, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	in := o.find(id)
	switch r := req.(type) {
	case *adminpb.ListOrgsRequest:
		return o.list(r), nil
	case *managementpb.GetMyOrgRequest:
		return &managementpb.GetMyOrgResponse{Org: &orgpb.Org{Id: in.id, Name: in.name, State: orgpb.OrgState_ORG_STATE_ACTIVE}}, nil
	case *managementpb.ListActionsRequest:
		all := make([]*actionpb.Action, 0, len(in.scripts))
		for _, a := range in.scripts {
			all = append(all, proto.CloneOf(a))
		}
		return &managementpb.ListActionsResponse{Details: &objectpb.ListDetails{TotalResult: uint64(len(all))}, Result: all}, nil
	case *managementpb.CreateActionRequest:
		return o.create(in, r)
	case *managementpb.UpdateActionRequest:
		return o.update(in, r)
	case *managementpb.ReactivateActionRequest:
		return o.activate(in, r.GetId(), actionpb.ActionState_ACTION_STATE_ACTIVE)
	case *managementpb.DeactivateActionRequest:
		return o.activate(in, r.GetId(), actionpb.ActionState_ACTION_STATE_INACTIVE)
	case *managementpb.DeleteActionRequest:
		return o.delete(in, r)
	case *managementpb.GetFlowRequest:
		return in.getFlow(r), nil
	case *managementpb.SetTriggerActionsRequest:
		return o.setTrigger(in, r)
	}
	return nil, nil
}

// list sorts by name and has no limit of its own.
func (o *Orgs) list(r *adminpb.ListOrgsRequest) proto.Message {
	all := make([]*orgpb.Org, 0, len(o.orgs))
	for _, in := range o.orgs {
		all = append(all, &orgpb.Org{Id: in.id, Name: in.name, State: orgpb.OrgState_ORG_STATE_ACTIVE})
	}
	slices.SortFunc(all, func(a, b *orgpb.Org) int { return cmp.Compare(a.GetName(), b.GetName()) })
	from := min(int(r.GetQuery().GetOffset()), len(all))
	to := len(all)
	if limit := int(r.GetQuery().GetLimit()); limit > 0 {
		to = min(from+limit, to)
	}
	return &adminpb.ListOrgsResponse{Details: &objectpb.ListDetails{TotalResult: uint64(len(all))}, Result: all[from:to]}
}

func (in *org) script(id string) *actionpb.Action {
	for _, a := range in.scripts {
		if a.GetId() == id {
			return a
		}
	}
	return nil
}

// validateScript makes the checks of the request itself.
func validateScript(message, name, script string, timeout *durationpb.Duration) error {
	switch d := timeout.AsDuration(); {
	case name == "" || len([]rune(name)) > maxScriptName:
		return status.Errorf(codes.InvalidArgument, "invalid %s.Name: value length must be between 1 and 200 runes, inclusive", message)
	case script == "":
		return status.Errorf(codes.InvalidArgument, "invalid %s.Script: value length must be at least 1 runes", message)
	case len(script) > maxScript:
		return status.Errorf(codes.InvalidArgument, "invalid %s.Script: value length must be at most 40000 bytes", message)
	case d < 0 || d > maxScriptTimeout:
		return status.Errorf(codes.InvalidArgument, "invalid %s.Timeout: value must be inside range [0s, 20s]", message)
	}
	return nil
}

// shownTimeout is what ZITADEL shows and uses.
func shownTimeout(timeout *durationpb.Duration) *durationpb.Duration {
	if timeout.AsDuration() <= 0 {
		return durationpb.New(maxScriptTimeout)
	}
	return timeout
}

func (in *org) taken(name string) bool {
	return slices.ContainsFunc(in.scripts, func(a *actionpb.Action) bool { return a.GetName() == name })
}

func (o *Orgs) create(in *org, r *managementpb.CreateActionRequest) (proto.Message, error) {
	if err := validateScript("CreateActionRequest", r.GetName(), r.GetScript(), r.GetTimeout()); err != nil {
		return nil, err
	}
	if in.taken(r.GetName()) {
		return nil, errScriptTaken
	}
	a := &actionpb.Action{
		Id: newID(), Name: r.GetName(), Script: r.GetScript(), Timeout: shownTimeout(r.GetTimeout()), AllowedToFail: r.GetAllowedToFail(),
		State: actionpb.ActionState_ACTION_STATE_ACTIVE,
	}
	in.scripts = append(in.scripts, a)
	o.changes++
	return &managementpb.CreateActionResponse{Id: a.Id}, nil
}

func (o *Orgs) update(in *org, r *managementpb.UpdateActionRequest) (proto.Message, error) {
	if err := validateScript("UpdateActionRequest", r.GetName(), r.GetScript(), r.GetTimeout()); err != nil {
		return nil, err
	}
	old := in.script(r.GetId())
	if old == nil {
		return nil, errScriptChange
	}
	a := proto.CloneOf(old)
	a.Name, a.Script, a.Timeout, a.AllowedToFail = r.GetName(), r.GetScript(), shownTimeout(r.GetTimeout()), r.GetAllowedToFail()
	switch {
	case proto.Equal(a, old):
		return nil, errScriptUnchanged
	case a.Name != old.Name && in.taken(a.Name):
		return nil, errScriptTaken
	}
	in.scripts[slices.Index(in.scripts, old)] = a
	o.changes++
	return &managementpb.UpdateActionResponse{}, nil
}

func (o *Orgs) activate(in *org, id string, state actionpb.ActionState) (proto.Message, error) {
	a := in.script(id)
	switch {
	case a == nil:
		return nil, errScriptActivate
	case a.State == state:
		return nil, errScriptActive
	}
	a.State = state
	o.changes++
	return &managementpb.ReactivateActionResponse{}, nil
}

func (o *Orgs) delete(in *org, r *managementpb.DeleteActionRequest) (proto.Message, error) {
	a := in.script(r.GetId())
	if a == nil {
		return nil, errScriptDelete
	}
	in.scripts = slices.DeleteFunc(in.scripts, func(other *actionpb.Action) bool { return other == a })
	for on, ids := range in.flows {
		in.flows[on] = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == r.GetId() })
	}
	o.changes++
	return &managementpb.DeleteActionResponse{}, nil
}

// shown are the actions of a trigger, inactive ones too.
func (in *org) shown(on trigger) (all []*actionpb.Action) {
	for _, id := range in.flows[on] {
		all = append(all, proto.CloneOf(in.script(id)))
	}
	return all
}

func (in *org) getFlow(r *managementpb.GetFlowRequest) proto.Message {
	flow := &actionpb.Flow{Type: &actionpb.FlowType{Id: r.GetType()}, State: actionpb.FlowState_FLOW_STATE_ACTIVE}
	for _, on := range triggersOf[r.GetType()] {
		if all := in.shown(trigger{r.GetType(), on}); len(all) > 0 {
			flow.TriggerActions = append(flow.TriggerActions, &actionpb.TriggerAction{TriggerType: &actionpb.TriggerType{Id: on}, Actions: all})
		}
	}
	return &managementpb.GetFlowResponse{Flow: flow}
}

// setTrigger replaces the list.
func (o *Orgs) setTrigger(in *org, r *managementpb.SetTriggerActionsRequest) (proto.Message, error) {
	on := trigger{r.GetFlowType(), r.GetTriggerType()}
	switch {
	case triggersOf[on.flow] == nil:
		return nil, errFlowMissing
	case !slices.Contains(triggersOf[on.flow], on.trigger):
		return nil, errTriggerWrong
	case slices.Equal(in.written[on], r.GetActionIds()):
		return nil, errFlowUnchanged
	}
	seen := map[string]bool{}
	for _, id := range r.GetActionIds() {
		if in.script(id) == nil || seen[id] { // ZITADEL counts the ids that exist
			return nil, errScriptsMissing
		}
		seen[id] = true
	}
	in.flows[on], in.written[on] = slices.Clone(r.GetActionIds()), slices.Clone(r.GetActionIds())
	o.changes++
	return &managementpb.SetTriggerActionsResponse{}, nil
}
