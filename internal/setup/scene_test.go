package setup_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	actionpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/action/v2"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/setup"
	"github.com/zitadel-siem/zitadel-siem/internal/setup/setuptest"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const owner = setuptest.Owner

// scene is a test server, a directory for keys, and everything that was said.
type scene struct {
	*setuptest.Scene
	actions *zitadeltest.Actions
	client  *zitadel.Client
	options setup.Options
	all     strings.Builder
}

func newScene(t *testing.T, transport string) *scene {
	t.Helper()
	s := &scene{Scene: setuptest.New(t)}
	s.actions = s.Server.Actions()
	s.client = s.Connect(transport, owner)
	s.options = setup.Options{SetupSettings: config.SetupSettings{Name: "siem", Endpoint: at("https://siem.example.com:8443"), Events: []string{"all"}, KeysDir: t.TempDir()},
		Say: s.Say}
	return s
}

// at is the URL of an endpoint.
func at(endpoint string) *url.URL {
	u, err := url.Parse(endpoint)
	if err != nil {
		panic(err)
	}
	return u
}

// run makes a run with options changed, and looks for keys in what it says.
func (s *scene) run(do func(context.Context, setup.Client, setup.Options) error, change func(*setup.Options)) error {
	s.Helper()
	o := s.options
	if change != nil {
		change(&o)
	}
	s.Said = nil
	err := do(s.Context(), s.client, o)
	fmt.Fprintln(&s.all, s.Said, err)
	for _, name := range []string{"siem", "theirs", "others"} {
		if key := s.actions.Target(name).GetSigningKey(); key != "" && strings.Contains(s.all.String(), key) {
			s.Errorf("a key was said: %s", s.all.String())
		}
	}
	return err
}

func (s *scene) setup(change func(*setup.Options)) {
	s.Helper()
	if err := s.run(setup.Run, change); err != nil {
		s.Fatal(err)
	}
}

func (s *scene) wantExecutions(want map[string][]string) {
	s.Helper()
	if diff := cmp.Diff(want, s.actions.Executions()); diff != "" {
		s.Error(diff)
	}
}

// wantKeys compares the key file, and its rights.
func (s *scene) wantKeys(keys ...string) {
	s.Helper()
	path := filepath.Join(s.options.KeysDir, "siem")
	b, err := os.ReadFile(path)
	if got := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n"); err != nil || !cmp.Equal(got, keys) {
		s.Errorf("%q %v, want %q", got, err, keys)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		s.Errorf("%v %v", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(s.options.KeysDir); len(entries) != 1 {
		s.Errorf("these files were left: %v", entries)
	}
}

func (s *scene) key() string { return s.actions.Target("siem").GetSigningKey() }

// target is somebody else's.
func (s *scene) target(name string) string {
	s.Helper()
	resp, err := s.actions.Do(&actionpb.CreateTargetRequest{Name: name, Endpoint: "https://elsewhere.example/", Timeout: durationpb.New(time.Second),
		TargetType: &actionpb.CreateTargetRequest_RestWebhook{RestWebhook: &actionpb.RESTWebhook{}}})
	if err != nil {
		s.Fatal(err)
	}
	return resp.(*actionpb.CreateTargetResponse).GetId()
}

func (s *scene) execution(c *actionpb.Condition, targets ...string) {
	s.Helper()
	if _, err := s.actions.Do(&actionpb.SetExecutionRequest{Condition: c, Targets: targets}); err != nil {
		s.Fatal(err)
	}
}

func on(event *actionpb.EventExecution) *actionpb.Condition {
	return &actionpb.Condition{ConditionType: &actionpb.Condition_Event{Event: event}}
}

func all() *actionpb.Condition {
	return on(&actionpb.EventExecution{Condition: &actionpb.EventExecution_All{All: true}})
}

func group(name string) *actionpb.Condition {
	return on(&actionpb.EventExecution{Condition: &actionpb.EventExecution_Group{Group: name}})
}

func event(name string) *actionpb.Condition {
	return on(&actionpb.EventExecution{Condition: &actionpb.EventExecution_Event{Event: name}})
}

func service(name string) *actionpb.Condition {
	return &actionpb.Condition{ConditionType: &actionpb.Condition_Request{Request: &actionpb.RequestExecution{Condition: &actionpb.RequestExecution_Service{Service: name}}}}
}

func events(list ...string) func(*setup.Options) {
	return func(o *setup.Options) { o.Events = list }
}
