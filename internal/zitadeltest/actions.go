package zitadeltest

import (
	"crypto/rand"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	actionpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/action/v2"
	filterpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/filter/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// ZITADEL's messages about targets and executions, in English.
var (
	errTargetTaken      = failure(codes.AlreadyExists, "V3-DKcYh", "Errors.Target.AlreadyExists")
	errTargetUnknown    = failure(codes.NotFound, "COMMAND-xj14f2cccn", "Target not found")
	errTargetMissing    = failure(codes.NotFound, "COMMAND-17e8fq1ggk", "Target not found")
	errTargetDenied     = failure(codes.InvalidArgument, "COMMAND-NcJUKo", "Errors.Target.DeniedURL")
	errTimeoutMissing   = failure(codes.InvalidArgument, "COMMAND-39f35d8uri", "Target has no timeout")
	errConditionInvalid = failure(codes.InvalidArgument, "ACTION-5r5Ju", "Execution condition is invalid")
	errEventUnknown     = failure(codes.NotFound, "COMMAND-74aaqj8fv9", "Execution condition is invalid")
	errGroupUnknown     = failure(codes.NotFound, "COMMAND-er5oneb5lz", "Execution condition is invalid")
	errMethodUnknown    = failure(codes.NotFound, "COMMAND-vysplsevt8", "Execution condition is invalid")
	errServiceUnknown   = failure(codes.NotFound, "COMMAND-qu6dfhiioq", "Execution condition is invalid")
	errLimitExceeded    = failure(codes.InvalidArgument, "QUERY-4M0fs", "Limit exceeded")
)

// Actions are the targets and executions of Actions V2 (API v2), as far as a client
// that sets them up for events needs them. Nothing is sent to a target.
type Actions struct {
	// HideKeys keeps signing keys out of the lists of targets.
	HideKeys bool
	// Deny is a host that no endpoint may have.
	Deny string

	now        func() time.Time
	mu         sync.Mutex
	targets    []*actionpb.Target    // by creation date
	executions []*actionpb.Execution // by creation date
	changes    int
}

// Actions of the server. Set the fields before the first request.
func (s *Server) Actions() *Actions { return s.actions }

// Changes counts events that targets and executions have written.
func (a *Actions) Changes() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.changes
}

// Target is the target with that name and its key, or nil.
func (a *Actions) Target(name string) *actionpb.Target {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.targets {
		if t.GetName() == name {
			return proto.CloneOf(t)
		}
	}
	return nil
}

// Executions has the names of the targets of each execution, by its id, such as
// "event", "event/user.*" and "request/zitadel.user.v2.UserService".
func (a *Actions) Executions() map[string][]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := map[string][]string{}
	for _, e := range a.executions {
		for _, id := range e.GetTargets() {
			i := a.find(id)
			all[conditionID(e.GetCondition())] = append(all[conditionID(e.GetCondition())], a.targets[i].GetName())
		}
	}
	return all
}

// Do changes something for another user.
func (a *Actions) Do(req proto.Message) (proto.Message, error) { return a.serve(req) }

// serve returns nil for a request that is not for this service.
func (a *Actions) serve(req proto.Message) (proto.Message, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch r := req.(type) {
	case *actionpb.CreateTargetRequest:
		return a.createTarget(r)
	case *actionpb.UpdateTargetRequest:
		return a.updateTarget(r)
	case *actionpb.DeleteTargetRequest:
		return a.deleteTarget(r), nil
	case *actionpb.ListTargetsRequest:
		return a.listTargets(r)
	case *actionpb.SetExecutionRequest:
		return a.setExecution(r)
	case *actionpb.ListExecutionsRequest:
		return a.listExecutions(r)
	case *actionpb.ListExecutionMethodsRequest:
		return &actionpb.ListExecutionMethodsResponse{Methods: executionMethods()}, nil
	}
	return nil, nil
}

func (a *Actions) stamp() *timestamppb.Timestamp {
	a.changes++
	return timestamppb.New(a.now().Truncate(time.Microsecond))
}

// signingKey has the length of the recorded ones.
func signingKey() string { return (rand.Text() + rand.Text())[:36] }

func (a *Actions) find(id string) int {
	return slices.IndexFunc(a.targets, func(t *actionpb.Target) bool { return t.GetId() == id })
}

func (a *Actions) createTarget(r *actionpb.CreateTargetRequest) (proto.Message, error) {
	switch {
	case r.GetTimeout().AsDuration() == 0:
		return nil, errTimeoutMissing
	case a.Deny != "" && strings.Contains(r.GetEndpoint(), "//"+a.Deny):
		return nil, errTargetDenied
	case slices.ContainsFunc(a.targets, func(t *actionpb.Target) bool { return t.GetName() == r.GetName() }):
		return nil, errTargetTaken
	}
	t := &actionpb.Target{
		Id: newID(), Name: r.GetName(), Endpoint: r.GetEndpoint(), Timeout: r.GetTimeout(), PayloadType: r.GetPayloadType(),
		SigningKey: signingKey(), CreationDate: a.stamp(),
	}
	t.ChangeDate = t.CreationDate
	switch kind := r.GetTargetType().(type) {
	case *actionpb.CreateTargetRequest_RestWebhook:
		t.TargetType = &actionpb.Target_RestWebhook{RestWebhook: kind.RestWebhook}
	case *actionpb.CreateTargetRequest_RestCall:
		t.TargetType = &actionpb.Target_RestCall{RestCall: kind.RestCall}
	case *actionpb.CreateTargetRequest_RestAsync:
		t.TargetType = &actionpb.Target_RestAsync{RestAsync: kind.RestAsync}
	}
	a.targets = append(a.targets, t)
	return &actionpb.CreateTargetResponse{Id: t.Id, CreationDate: t.CreationDate, SigningKey: t.SigningKey}, nil
}

func (a *Actions) updateTarget(r *actionpb.UpdateTargetRequest) (proto.Message, error) {
	i := a.find(r.GetId())
	if i < 0 {
		return nil, errTargetUnknown
	}
	if a.Deny != "" && strings.Contains(r.GetEndpoint(), "//"+a.Deny) {
		return nil, errTargetDenied
	}
	t := proto.CloneOf(a.targets[i])
	if r.Name != nil {
		t.Name = r.GetName()
	}
	if r.Endpoint != nil {
		t.Endpoint = r.GetEndpoint()
	}
	if r.Timeout != nil {
		t.Timeout = r.GetTimeout()
	}
	if r.GetPayloadType() != actionpb.PayloadType_PAYLOAD_TYPE_UNSPECIFIED {
		t.PayloadType = r.GetPayloadType()
	}
	switch kind := r.GetTargetType().(type) {
	case *actionpb.UpdateTargetRequest_RestWebhook:
		t.TargetType = &actionpb.Target_RestWebhook{RestWebhook: kind.RestWebhook}
	case *actionpb.UpdateTargetRequest_RestCall:
		t.TargetType = &actionpb.Target_RestCall{RestCall: kind.RestCall}
	case *actionpb.UpdateTargetRequest_RestAsync:
		t.TargetType = &actionpb.Target_RestAsync{RestAsync: kind.RestAsync}
	}
	resp := &actionpb.UpdateTargetResponse{ChangeDate: t.ChangeDate}
	if r.ExpirationSigningKey != nil {
		t.SigningKey = signingKey()
		resp.SigningKey = &t.SigningKey
	}
	if !proto.Equal(t, a.targets[i]) {
		t.ChangeDate = a.stamp()
		resp.ChangeDate = t.ChangeDate
		a.targets[i] = t
	}
	return resp, nil
}

func (a *Actions) deleteTarget(r *actionpb.DeleteTargetRequest) proto.Message {
	i := a.find(r.GetId())
	if i < 0 {
		return &actionpb.DeleteTargetResponse{}
	}
	a.targets = slices.Delete(a.targets, i, i+1)
	for _, e := range a.executions {
		e.Targets = slices.DeleteFunc(e.Targets, func(id string) bool { return id == r.GetId() })
	}
	return &actionpb.DeleteTargetResponse{DeletionDate: a.stamp()}
}

func (a *Actions) listTargets(r *actionpb.ListTargetsRequest) (proto.Message, error) {
	var found []*actionpb.Target
	for _, t := range a.targets {
		fits := true
		for _, f := range r.GetFilters() {
			fits = fits && f.GetTargetNameFilter().GetTargetName() == t.GetName()
		}
		if !fits {
			continue
		}
		t = proto.CloneOf(t)
		if a.HideKeys {
			t.SigningKey = ""
		}
		found = append(found, t)
	}
	page, pagination, err := paged(found, r.GetPagination())
	return &actionpb.ListTargetsResponse{Targets: page, Pagination: pagination}, err
}

func (a *Actions) listExecutions(r *actionpb.ListExecutionsRequest) (proto.Message, error) {
	var found []*actionpb.Execution
	for _, e := range a.executions {
		if len(e.GetTargets()) > 0 {
			found = append(found, proto.CloneOf(e))
		}
	}
	page, pagination, err := paged(found, r.GetPagination())
	return &actionpb.ListExecutionsResponse{Executions: page, Pagination: pagination}, err
}

// paged returns a page, by default the newest first.
func paged[T any](all []T, p *filterpb.PaginationRequest) ([]T, *filterpb.PaginationResponse, error) {
	limit := uint64(p.GetLimit())
	switch {
	case limit > 1000:
		return nil, nil, errLimitExceeded
	case limit == 0:
		limit = 100
	}
	if !p.GetAsc() {
		slices.Reverse(all)
	}
	from := min(p.GetOffset(), uint64(len(all)))
	to := min(from+limit, uint64(len(all)))
	return all[from:to], &filterpb.PaginationResponse{TotalResult: uint64(len(all)), AppliedLimit: limit}, nil
}

func (a *Actions) setExecution(r *actionpb.SetExecutionRequest) (proto.Message, error) {
	condition := proto.CloneOf(r.GetCondition())
	if event := condition.GetEvent(); event != nil {
		types := slices.Collect(maps.Keys(catalogue().aggregateOf))
		if t := event.GetEvent(); t != "" && !slices.Contains(types, t) {
			return nil, errEventUnknown
		}
		if g := event.GetGroup(); g != "" {
			if !slices.ContainsFunc(types, func(t string) bool { return strings.HasPrefix(t, g) }) {
				return nil, errGroupUnknown
			}
		}
	}
	if err := knownAPI(condition); err != nil {
		return nil, err
	}
	id := conditionID(condition)
	if id == "" {
		return nil, errConditionInvalid
	}
	for _, target := range r.GetTargets() {
		if a.find(target) < 0 {
			return nil, errTargetMissing
		}
	}
	i := slices.IndexFunc(a.executions, func(e *actionpb.Execution) bool { return conditionID(e.GetCondition()) == id })
	if i < 0 {
		i = len(a.executions)
		a.executions = append(a.executions, &actionpb.Execution{Condition: condition, CreationDate: timestamppb.New(a.now())})
	}
	e := a.executions[i]
	if !slices.Equal(e.Targets, r.GetTargets()) {
		e.Targets, e.ChangeDate = slices.Clone(r.GetTargets()), a.stamp()
	}
	return &actionpb.SetExecutionResponse{SetDate: e.ChangeDate}, nil
}

// conditionID is ZITADEL's id of an execution; empty if the condition is invalid.
func conditionID(c *actionpb.Condition) string {
	api := func(kind, method, service string, all bool) string {
		switch {
		case method != "":
			return kind + method // begins with a slash
		case service != "":
			return kind + "/" + service
		case all:
			return kind
		}
		return ""
	}
	switch c := c.GetConditionType().(type) {
	case *actionpb.Condition_Event:
		if g := c.Event.GetGroup(); g != "" {
			return "event/" + g + ".*"
		}
		return api("event", "", c.Event.GetEvent(), c.Event.GetAll())
	case *actionpb.Condition_Request:
		return api("request", c.Request.GetMethod(), c.Request.GetService(), c.Request.GetAll())
	case *actionpb.Condition_Response:
		return api("response", c.Response.GetMethod(), c.Response.GetService(), c.Response.GetAll())
	case *actionpb.Condition_Function:
		return api("function", "", c.Function.GetName(), false)
	}
	return ""
}
