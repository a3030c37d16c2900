package zitadel

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	actionpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/action"
	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	managementpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	objectpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/object"
	orgpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/org"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// Org is an organization of the instance.
type Org struct{ ID, Name string }

// Script is an action of Actions V1: the JavaScript of one organization.
type Script struct {
	ID     string // empty: not created yet
	Name   string // of the action, and of the function that ZITADEL calls
	Source string // may hold keys
	// Timeout is 20 s if the action has none of its own: ZITADEL shows and uses that.
	Timeout       time.Duration
	AllowedToFail bool
	Inactive      bool // deactivated: flows keep it, and do not run it
}

// Flow and trigger ids of ZITADEL (internal/domain/flow.go).
const (
	FlowExternal = "1" // External Authentication
	FlowInternal = "3" // Internal Authentication

	TriggerPostAuthentication = "1"
)

// Flow holds the scripts of each trigger, in the order in which they run.
type Flow map[string][]Script

var (
	listOrgs    = scriptMethod(adminpb.NewAdminServiceClient, adminpb.AdminServiceClient.ListOrgs, http.MethodPost, "/admin/v1/orgs/_search", false) //nolint:staticcheck // the API that replaces it is not in every supported version
	getMyOrg    = managementMethod(managementpb.ManagementServiceClient.GetMyOrg, http.MethodGet, "/management/v1/orgs/me", false)
	listActions = managementMethod(managementpb.ManagementServiceClient.ListActions, http.MethodPost, "/management/v1/actions/_search", false)
	// A second action of that name is refused.
	createAction      = managementMethod(managementpb.ManagementServiceClient.CreateAction, http.MethodPost, "/management/v1/actions", true)
	updateAction      = managementMethod(managementpb.ManagementServiceClient.UpdateAction, http.MethodPut, "/management/v1/actions/{id}", false)
	reactivateAction  = managementMethod(managementpb.ManagementServiceClient.ReactivateAction, http.MethodPost, "/management/v1/actions/{id}/_reactivate", true)
	deleteAction      = managementMethod(managementpb.ManagementServiceClient.DeleteAction, http.MethodDelete, "/management/v1/actions/{id}", true)
	getFlow           = managementMethod(managementpb.ManagementServiceClient.GetFlow, http.MethodGet, "/management/v1/flows/{type}", false)
	setTriggerActions = managementMethod(managementpb.ManagementServiceClient.SetTriggerActions, http.MethodPost, "/management/v1/flows/{flow_type}/trigger/{trigger_type}", false)
)

func managementMethod[Req, Resp proto.Message](
	rpc func(managementpb.ManagementServiceClient, context.Context, Req, ...grpc.CallOption) (Resp, error),
	verb, path string, once bool,
) method[Req, Resp] {
	return scriptMethod(managementpb.NewManagementServiceClient, rpc, verb, path, once)
}

func scriptMethod[Service any, Req, Resp proto.Message](
	service func(grpc.ClientConnInterface) Service,
	rpc func(Service, context.Context, Req, ...grpc.CallOption) (Resp, error),
	verb, path string, once bool,
) method[Req, Resp] {
	m := newMethod(service, rpc, verb, path)
	m.scripts, m.once = true, once
	return m
}

// orgKey is the context key of the organization that a call is about.
type orgKey struct{}

// orgHeader is how ZITADEL is told. Without it, it takes the organization of the
// token's user.
const orgHeader = "x-zitadel-orgid"

func orgOf(ctx context.Context) string {
	org, _ := ctx.Value(orgKey{}).(string)
	return org
}

func inOrg(ctx context.Context, org string) context.Context {
	return context.WithValue(ctx, orgKey{}, org)
}

// Hide keeps a secret out of the errors of this client.
func (c *Client) Hide(secret config.Secret) { c.scrub.hide(secret.Reveal()) }

// Org returns the organization of that id; for "", that of the token's user.
func (c *Client) Org(ctx context.Context, id string) (Org, error) {
	resp, err := invoke(inOrg(ctx, id), c, getMyOrg, new(managementpb.GetMyOrgRequest))
	return Org{resp.GetOrg().GetId(), resp.GetOrg().GetName()}, err
}

// Orgs returns all organizations of the instance, by name.
func (c *Client) Orgs(ctx context.Context) (all []Org, err error) {
	for {
		// Without a limit, ZITADEL returns all. If it has one, the total says so.
		resp, err := invoke(ctx, c, listOrgs, &adminpb.ListOrgsRequest{
			Query: &objectpb.ListQuery{Offset: uint64(len(all)), Asc: true}, SortingColumn: orgpb.OrgFieldName_ORG_FIELD_NAME_NAME,
		})
		if err != nil {
			return nil, err
		}
		for _, o := range resp.GetResult() {
			all = append(all, Org{o.GetId(), o.GetName()})
		}
		if len(resp.GetResult()) == 0 || uint64(len(all)) >= resp.GetDetails().GetTotalResult() {
			return all, nil
		}
	}
}

// Scripts returns the actions of an organization. ZITADEL reads them from a projection,
// which may lag behind a change by some milliseconds, under load by seconds.
func (c *Client) Scripts(ctx context.Context, org string) ([]Script, error) {
	// ZITADEL neither limits nor sorts this list.
	resp, err := invoke(inOrg(ctx, org), c, listActions, new(managementpb.ListActionsRequest))
	return scriptsOf(resp.GetResult()), err
}

func scriptsOf(actions []*actionpb.Action) (all []Script) {
	for _, a := range actions {
		all = append(all, Script{
			ID: a.GetId(), Name: a.GetName(), Source: a.GetScript(), Timeout: a.GetTimeout().AsDuration(), AllowedToFail: a.GetAllowedToFail(),
			Inactive: a.GetState() == actionpb.ActionState_ACTION_STATE_INACTIVE,
		})
	}
	return all
}

// CreateScript creates an action and returns its id.
func (c *Client) CreateScript(ctx context.Context, org string, s Script) (id string, err error) {
	resp, err := invoke(inOrg(ctx, org), c, createAction, &managementpb.CreateActionRequest{
		Name: s.Name, Script: s.Source, Timeout: durationpb.New(s.Timeout), AllowedToFail: s.AllowedToFail,
	})
	if err == nil && resp.GetId() == "" {
		err = errors.New("ZITADEL's answer has no id: run this again, and make sure that nothing on the way changes its answers")
	}
	return resp.GetId(), err
}

// ChangeScript replaces all of an action except its id and its state.
func (c *Client) ChangeScript(ctx context.Context, org string, s Script) error {
	_, err := invoke(inOrg(ctx, org), c, updateAction, &managementpb.UpdateActionRequest{
		Id: s.ID, Name: s.Name, Script: s.Source, Timeout: durationpb.New(s.Timeout), AllowedToFail: s.AllowedToFail,
	})
	return unlessNoChange(err)
}

// ActivateScript activates an action that was deactivated.
func (c *Client) ActivateScript(ctx context.Context, org, id string) error {
	_, err := invoke(inOrg(ctx, org), c, reactivateAction, &managementpb.ReactivateActionRequest{Id: id})
	return unlessNoChange(err)
}

// DeleteScript deletes an action. In the same transaction, ZITADEL takes it out of all
// flows and leaves the others in their order.
func (c *Client) DeleteScript(ctx context.Context, org, id string) error {
	_, err := invoke(inOrg(ctx, org), c, deleteAction, &managementpb.DeleteActionRequest{Id: id})
	return err
}

// Flow returns a flow of an organization; see [Client.Scripts] about its age.
func (c *Client) Flow(ctx context.Context, org, flow string) (Flow, error) {
	resp, err := invoke(inOrg(ctx, org), c, getFlow, &managementpb.GetFlowRequest{Type: flow})
	if err != nil {
		return nil, err
	}
	all := Flow{}
	for _, t := range resp.GetFlow().GetTriggerActions() {
		all[t.GetTriggerType().GetId()] = scriptsOf(t.GetActions())
	}
	return all, nil
}

// SetTrigger replaces the actions of a trigger.
func (c *Client) SetTrigger(ctx context.Context, org, flow, trigger string, ids []string) error {
	_, err := invoke(inOrg(ctx, org), c, setTriggerActions, &managementpb.SetTriggerActionsRequest{FlowType: flow, TriggerType: trigger, ActionIds: ids})
	return unlessNoChange(err)
}

// noChange are the ids of ZITADEL's errors for a change that is there already. Their
// texts depend on the language of the instance.
var noChange = []string{
	"COMMAND-Nfh52", // SetTriggerActions
	"ACTION-dg4t2",  // UpdateAction
	"COMMAND-J53zh", // ReactivateAction
}

// unlessNoChange returns nil if ZITADEL refused a change because it is there already:
// the list that we compared with was older than the change.
func unlessNoChange(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		for _, id := range noChange {
			if strings.Contains(e.Message, id) {
				return nil
			}
		}
	}
	return err
}
