package scripts

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	actionpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/action"
	managementpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	actionsscripts "github.com/zitadel-siem/zitadel-siem/actions-scripts"
	"github.com/zitadel-siem/zitadel-siem/internal/setup/setuptest"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	owner  = setuptest.Owner
	viewer = "token-of-a-viewer-0123456789"
)

// scene is a test server and everything that was said.
type scene struct {
	*setuptest.Scene
	orgs    *zitadeltest.Orgs
	first   string // organization
	client  *zitadel.Client
	options Options
}

func newScene(t *testing.T, transport string) *scene {
	t.Helper()
	s := &scene{Scene: setuptest.New(t)}
	s.Server.AddToken(viewer, zitadeltest.Viewer, time.Time{})
	s.orgs = s.Server.Orgs()
	s.first = s.orgs.First()
	s.client = s.Connect(transport, owner)
	s.options = Options{Script: Log(), Say: s.Say}
	return s
}

func (s *scene) run(do func(context.Context, Client, Options) error, change func(*Options)) error {
	s.Helper()
	o := s.options
	if change != nil {
		change(&o)
	}
	s.Said = nil
	return do(s.Context(), s.client, o)
}

func (s *scene) install(change func(*Options)) {
	s.Helper()
	if err := s.run(Run, change); err != nil {
		s.Fatal(err)
	}
}

// wantFlows compares both flows of an organization.
func (s *scene) wantFlows(org string, names ...string) {
	s.Helper()
	for _, flow := range flows {
		if got := s.orgs.Flow(org, flow.id, "1"); !slices.Equal(got, names) {
			s.Errorf("the flow %s has %q, want %q", flow.name, got, names)
		}
	}
}

// wantScript compares all that a run sets.
func (s *scene) wantScript(org string, want zitadel.Script) {
	s.Helper()
	got := s.orgs.Script(org, want.Name)
	if diff := cmp.Diff(want.Source, got.GetScript()); diff != "" || got.GetTimeout().AsDuration() != want.Timeout || !got.GetAllowedToFail() ||
		got.GetState() != actionpb.ActionState_ACTION_STATE_ACTIVE {
		s.Errorf("%s %v %v %s", got.GetTimeout(), got.GetAllowedToFail(), got.GetState(), diff)
	}
}

func (s *scene) do(org string, req proto.Message) proto.Message {
	s.Helper()
	resp, err := s.orgs.Do(org, req)
	if err != nil {
		s.Fatal(err)
	}
	return resp
}

// action is somebody else's.
func (s *scene) action(org, name, source string) string {
	s.Helper()
	req := &managementpb.CreateActionRequest{Name: name, Script: source, Timeout: durationpb.New(10 * time.Second)}
	return s.do(org, req).(*managementpb.CreateActionResponse).GetId()
}

func (s *scene) flow(org, flow, trigger string, ids ...string) {
	s.Helper()
	s.do(org, &managementpb.SetTriggerActionsRequest{FlowType: flow, TriggerType: trigger, ActionIds: ids})
}

// unchanged fails if f changes something.
func (s *scene) unchanged(f func()) {
	s.Helper()
	before := s.orgs.Changes()
	f()
	if n := s.orgs.Changes() - before; n != 0 {
		s.Errorf("%d changes:\n%s", n, strings.Join(s.Said, "\n"))
	}
}

// anotherVersion is our script of a later or an earlier version, which has another text.
func anotherVersion(later int) string {
	return actionsscripts.WithSeal(actionsscripts.Version+later, strings.Replace(actionsscripts.PostAuthLog, "// The action", "// An action", 1))
}

func harmlessScript(name string) string { return fmt.Sprintf("function %s(ctx, api) {}", name) }
