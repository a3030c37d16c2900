package scripts

import (
	"context"
	"fmt"
	"net/url"
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
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/setup"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	owner  = "token-of-an-owner-0123456789"
	viewer = "token-of-a-viewer-0123456789"
)

// scene is a test server and everything that was said.
type scene struct {
	*testing.T
	server  *zitadeltest.Server
	orgs    *zitadeltest.Orgs
	first   string // organization
	client  *zitadel.Client
	options Options
	said    []string // by the last run
}

func newScene(t *testing.T, transport string) *scene {
	t.Helper()
	s := &scene{T: t, server: zitadeltest.NewServer(zitadeltest.NewStore(), zitadeltest.Options{})}
	if err := s.server.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.server.Close() })
	s.server.AddToken(owner, zitadeltest.Owner, time.Time{})
	s.server.AddToken(viewer, zitadeltest.Viewer, time.Time{})
	s.orgs = s.server.Orgs()
	s.first = s.orgs.First()
	s.client = s.connect(transport, owner)
	s.options = Options{Script: Log(), Say: func(verb setup.Verb, text string) { s.said = append(s.said, string(verb)+" "+text) }}
	return s
}

func (s *scene) connect(transport, token string) *zitadel.Client {
	s.Helper()
	u, err := url.Parse(s.server.URL())
	if err != nil {
		s.Fatal(err)
	}
	client, err := zitadel.New(s.Context(), config.Settings{URL: u, Transport: transport, Token: config.Secret(token), RequestTimeout: time.Minute}, zitadel.Options{})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { client.Close() })
	return client
}

func (s *scene) run(do func(context.Context, Client, Options) error, change func(*Options)) error {
	s.Helper()
	o := s.options
	if change != nil {
		change(&o)
	}
	s.said = nil
	return do(s.Context(), s.client, o)
}

func (s *scene) install(change func(*Options)) {
	s.Helper()
	if err := s.run(Run, change); err != nil {
		s.Fatal(err)
	}
}

func (s *scene) wantSaid(parts ...string) {
	s.Helper()
	all := strings.Join(s.said, "\n")
	for _, part := range parts {
		if !strings.Contains(all, part) {
			s.Errorf("%q is missing in\n%s", part, all)
		}
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
		s.Errorf("%d changes:\n%s", n, strings.Join(s.said, "\n"))
	}
}

// anotherVersion is our script of a later or an earlier version, which has another text.
func anotherVersion(later int) string {
	return actionsscripts.WithSeal(actionsscripts.Version+later, strings.Replace(actionsscripts.PostAuthLog, "// The action", "// An action", 1))
}

func harmlessScript(name string) string { return fmt.Sprintf("function %s(ctx, api) {}", name) }
