package zitadel

import (
	"context"
	"net/http"
	"time"

	actionpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/action/v2"
	filterpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/filter/v2"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

const (
	// TargetTimeout is how long ZITADEL waits for our target.
	TargetTimeout = 10 * time.Second

	// executionsAtOnce is ZITADEL's page size for a request without a limit. An
	// instance may allow less than the usual 1000.
	executionsAtOnce = 100
)

// Target is a receiver of executions.
type Target struct {
	ID, Name, Endpoint string
	// Holds means that the user who causes an event or a request waits for the
	// target, or gets its answer: an outage of the target would stop logins.
	Holds bool
	// JSON means that payloads are JSON. As JWT and JWE, ZITADEL sends requests
	// but no events.
	JSON bool
	// Key is the key that ZITADEL signs with; empty if it does not show it.
	Key config.Secret
}

// TargetChange is what to change; the zero value changes nothing.
type TargetChange struct {
	Endpoint string
	Loosen   bool // make it asynchronous, see Target.Holds
	JSON     bool
	NewKey   bool // ZITADEL signs with a new key from now on
}

// Execution sends what matches the condition to targets, in this order.
type Execution struct {
	Condition *actionpb.Condition
	Targets   []string
}

var (
	listTargets = setupMethod(actionpb.ActionServiceClient.ListTargets, http.MethodPost, "/v2/actions/targets/search", false)
	// A second target of that name is refused, a second key is another one.
	createTarget   = setupMethod(actionpb.ActionServiceClient.CreateTarget, http.MethodPost, "/v2/actions/targets", true)
	updateTarget   = setupMethod(actionpb.ActionServiceClient.UpdateTarget, http.MethodPost, "/v2/actions/targets/{id}", true)
	deleteTarget   = setupMethod(actionpb.ActionServiceClient.DeleteTarget, http.MethodDelete, "/v2/actions/targets/{id}", false)
	listExecutions = setupMethod(actionpb.ActionServiceClient.ListExecutions, http.MethodPost, "/v2/actions/executions/search", false)
	listMethods    = setupMethod(actionpb.ActionServiceClient.ListExecutionMethods, http.MethodGet, "/v2/actions/executions/methods", false)
	setExecution   = setupMethod(actionpb.ActionServiceClient.SetExecution, http.MethodPut, "/v2/actions/executions", false)
)

func setupMethod[Req, Resp proto.Message](
	rpc func(actionpb.ActionServiceClient, context.Context, Req, ...grpc.CallOption) (Resp, error),
	verb, path string, once bool,
) method[Req, Resp] {
	m := newMethod(actionpb.NewActionServiceClient, rpc, verb, path)
	m.setup, m.once = true, once
	return m
}

// Target returns the target of that name, or nil if there is none. Names are unique
// in an instance.
func (c *Client) Target(ctx context.Context, name string) (*Target, error) {
	resp, err := invoke(ctx, c, listTargets, &actionpb.ListTargetsRequest{
		Filters: []*actionpb.TargetSearchFilter{{Filter: &actionpb.TargetSearchFilter_TargetNameFilter{
			TargetNameFilter: &actionpb.TargetNameFilter{TargetName: name, Method: filterpb.TextFilterMethod_TEXT_FILTER_METHOD_EQUALS},
		}}},
	})
	if err != nil {
		return nil, err
	}
	for _, t := range resp.GetTargets() {
		c.scrub.hide(t.GetSigningKey())
		if t.GetName() != name { // a server that does not filter
			continue
		}
		kind := t.GetPayloadType()
		return &Target{
			ID: t.GetId(), Name: name, Endpoint: t.GetEndpoint(),
			Holds: t.GetRestCall() != nil || t.GetRestWebhook().GetInterruptOnError(),
			JSON:  kind == actionpb.PayloadType_PAYLOAD_TYPE_JSON || kind == actionpb.PayloadType_PAYLOAD_TYPE_UNSPECIFIED,
			Key:   config.Secret(t.GetSigningKey()),
		}, nil
	}
	return nil, nil
}

// CreateTarget creates an asynchronous target, and returns its id and key.
func (c *Client) CreateTarget(ctx context.Context, name, endpoint string) (id string, key config.Secret, err error) {
	resp, err := invoke(ctx, c, createTarget, &actionpb.CreateTargetRequest{
		Name:        name,
		Endpoint:    endpoint,
		Timeout:     durationpb.New(TargetTimeout),
		PayloadType: actionpb.PayloadType_PAYLOAD_TYPE_JSON,
		TargetType:  &actionpb.CreateTargetRequest_RestAsync{RestAsync: &actionpb.RESTAsync{}},
	})
	if err != nil {
		return "", "", err
	}
	c.scrub.hide(resp.GetSigningKey())
	return resp.GetId(), config.Secret(resp.GetSigningKey()), nil
}

// ChangeTarget changes a target. It returns the new key if change asks for one.
func (c *Client) ChangeTarget(ctx context.Context, id string, change TargetChange) (config.Secret, error) {
	req := &actionpb.UpdateTargetRequest{Id: id}
	if change.Endpoint != "" {
		req.Endpoint = &change.Endpoint
	}
	if change.Loosen {
		req.TargetType = &actionpb.UpdateTargetRequest_RestAsync{RestAsync: &actionpb.RESTAsync{}}
	}
	if change.JSON {
		req.PayloadType = actionpb.PayloadType_PAYLOAD_TYPE_JSON
	}
	if change.NewKey {
		req.ExpirationSigningKey = durationpb.New(0) // of the old one; ZITADEL takes no other time yet
	}
	resp, err := invoke(ctx, c, updateTarget, req)
	if err != nil {
		return "", err
	}
	c.scrub.hide(resp.GetSigningKey())
	return config.Secret(resp.GetSigningKey()), nil
}

// DeleteTarget removes a target. A missing target is no error.
func (c *Client) DeleteTarget(ctx context.Context, id string) error {
	_, err := invoke(ctx, c, deleteTarget, &actionpb.DeleteTargetRequest{Id: id})
	return err
}

// Executions returns all executions with a target.
func (c *Client) Executions(ctx context.Context) (all []Execution, err error) {
	for {
		resp, err := invoke(ctx, c, listExecutions, &actionpb.ListExecutionsRequest{
			// By creation date, so that one that is created meanwhile comes last.
			Pagination: &filterpb.PaginationRequest{Offset: uint64(len(all)), Limit: executionsAtOnce, Asc: true},
		})
		if err != nil {
			return nil, err
		}
		for _, e := range resp.GetExecutions() {
			all = append(all, Execution{Condition: e.GetCondition(), Targets: e.GetTargets()})
		}
		if len(resp.GetExecutions()) < executionsAtOnce {
			return all, nil
		}
	}
}

// Methods returns the methods of the API for which there can be executions, such as
// /zitadel.user.v2.UserService/AddHumanUser.
func (c *Client) Methods(ctx context.Context) ([]string, error) {
	resp, err := invoke(ctx, c, listMethods, &actionpb.ListExecutionMethodsRequest{})
	return resp.GetMethods(), err
}

// SetExecution sets the targets of the condition. Without targets the execution ends.
func (c *Client) SetExecution(ctx context.Context, condition *actionpb.Condition, targets []string) error {
	_, err := invoke(ctx, c, setExecution, &actionpb.SetExecutionRequest{Condition: condition, Targets: targets})
	return err
}
