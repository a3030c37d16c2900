package setup_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zitadel/zitadel-go/v3/pkg/actions"
	actionpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/action/v2"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/setup"
	"github.com/zitadel-siem/zitadel-siem/internal/webhook"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

func TestFirstRunMakesTargetKeyAndExecution(t *testing.T) {
	for _, transport := range []string{zitadel.TransportGRPC, zitadel.TransportREST} {
		t.Run(transport, func(t *testing.T) {
			s := newScene(t, transport)
			s.setup(nil)
			target := s.actions.Target("siem")
			if target.GetEndpoint() != "https://siem.example.com:8443/siem" || target.GetRestAsync() == nil || target.GetTimeout().AsDuration() != 10*time.Second ||
				target.GetPayloadType() != actionpb.PayloadType_PAYLOAD_TYPE_JSON {
				t.Error(target.GetEndpoint(), target.GetTargetType(), target.GetTimeout())
			}
			s.wantKeys(s.key())
			s.wantExecutions(map[string][]string{"event": {"siem"}})
			s.WantSaid("done create target siem", "done send all events to target siem")

			changes := s.actions.Changes()
			s.setup(nil)
			if n := s.actions.Changes() - changes; n != 0 {
				t.Errorf("a second run made %d changes", n)
			}
			s.WantSaid("kept target siem", "kept key file", "kept all events go to target siem")
			s.wantKeys(s.key())

			s.setup(func(o *setup.Options) { o.Endpoint = at("https://other.example.com") })
			s.WantSaid("done change target siem: its endpoint from https://siem.example.com:8443/siem to https://other.example.com/siem")
			if got := s.actions.Target("siem").GetEndpoint(); got != "https://other.example.com/siem" {
				t.Error(got)
			}

			old := s.key()
			s.setup(func(o *setup.Options) { o.Rotate, o.Endpoint = true, at("https://other.example.com") })
			if s.key() == old {
				t.Error("the key is the old one")
			}
			s.wantKeys(old, s.key())

			if err := s.run(setup.Remove, nil); err != nil {
				t.Fatal(err)
			}
			s.wantExecutions(map[string][]string{})
			if s.actions.Target("siem") != nil {
				t.Error("the target is still there")
			}
			s.WantSaid("done take target siem out of the execution of all events", "done delete target siem")
			if err := s.run(setup.Remove, nil); err != nil {
				t.Fatal(err)
			}
			s.WantSaid("kept there is no target siem")
		})
	}
}

func TestDryRunSaysEverythingAndChangesNothing(t *testing.T) {
	s := newScene(t, zitadel.TransportGRPC)
	dry := func(o *setup.Options) { o.DryRun = true }
	s.setup(dry)
	s.WantSaid("would create target siem for https://siem.example.com:8443/siem", "would send all events to target siem")
	if files, _ := os.ReadDir(s.options.KeysDir); s.actions.Changes() != 0 || len(files) != 0 {
		t.Errorf("%d changes, files %v", s.actions.Changes(), files)
	}
	s.setup(nil)
	changes, key := s.actions.Changes(), s.key()
	s.setup(func(o *setup.Options) {
		o.DryRun, o.Rotate, o.Endpoint, o.Events = true, true, at("https://new.example"), []string{"user"}
	})
	s.WantSaid("would change target siem: its endpoint", "its signing key", "would send events user.* to", "would take target siem out of the execution of all events")
	if err := s.run(setup.Remove, dry); err != nil {
		t.Fatal(err)
	}
	s.WantSaid("would take target siem out", "would delete target siem")
	if s.actions.Changes() != changes {
		t.Error("something was changed")
	}
	s.wantKeys(key)
}

func TestOthersKeepTheirTargets(t *testing.T) {
	s := newScene(t, zitadel.TransportREST)
	theirs, others := s.target("theirs"), s.target("others")
	s.execution(all(), theirs)
	s.execution(group("session"), others, theirs)
	s.execution(service("zitadel.user.v2.UserService"), theirs)
	before := s.actions.Executions()

	// A new execution that is closer than theirs would take events from them.
	s.setup(events("all", "session.*", "user", "user.human.added"))
	s.wantExecutions(map[string][]string{
		"event": {"theirs", "siem"}, "event/session.*": {"others", "theirs", "siem"},
		"event/user.*": {"siem", "theirs"}, "event/user.human.added": {"siem", "theirs"},
		"request/zitadel.user.v2.UserService": {"theirs"},
	})
	s.WantSaid("send events user.* to target siem, and on to another target; a new execution", "send all events to target siem, behind another target; its execution is there")

	// One that nobody else uses ends, so that its events come by the wider one.
	s.setup(events("all"))
	s.wantExecutions(map[string][]string{"event": {"theirs", "siem"}, "event/session.*": {"others", "theirs"}, "request/zitadel.user.v2.UserService": {"theirs"}})
	s.WantSaid("note these have closer executions of their own", "--events all,session.*")

	// Somebody uses ours.
	s.setup(events("all", "user"))
	id := s.actions.Target("siem").GetId()
	s.execution(group("user"), id, theirs, others)
	s.execution(service("zitadel.org.v2.OrganizationService"), id, others)
	if err := s.run(setup.Remove, nil); err != nil {
		t.Fatal(err)
	}
	before["event/user.*"] = []string{"theirs", "others"}
	before["request/zitadel.org.v2.OrganizationService"] = []string{"others"}
	s.wantExecutions(before)
}

func TestAnEqualExecutionOfOthersIsNotOurs(t *testing.T) {
	s := newScene(t, zitadel.TransportGRPC)
	theirs := s.target("theirs")
	s.execution(all(), theirs)
	s.execution(event("user.human.added"), theirs)
	before := s.actions.Executions()
	s.setup(events("user.human.added"))
	if err := s.run(setup.Remove, nil); err != nil {
		t.Fatal(err)
	}
	s.wantExecutions(before)
}

func TestManyExecutionsArePaged(t *testing.T) {
	s := newScene(t, zitadel.TransportGRPC)
	theirs := s.target("theirs")
	types, err := s.client.EventTypes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range types[:250] {
		s.execution(event(name), theirs)
	}
	s.execution(all(), theirs)
	s.setup(nil)
	if got := s.actions.Executions()["event"]; !cmp.Equal(got, []string{"theirs", "siem"}) {
		t.Error(got)
	}
}

func TestMissingKeyIsFetchedOrRotated(t *testing.T) {
	s := newScene(t, zitadel.TransportREST)
	s.setup(nil)
	path := filepath.Join(s.options.KeysDir, "siem")
	os.Remove(path)
	s.setup(nil)
	s.WantSaid("done write the signing key of target siem")
	s.wantKeys(s.key())

	// Somebody else had it changed.
	old := s.key()
	if _, err := s.client.ChangeTarget(t.Context(), s.actions.Target("siem").GetId(), zitadel.TargetChange{NewKey: true}); err != nil {
		t.Fatal(err)
	}
	s.setup(nil)
	s.wantKeys(old, s.key())

	// A ZITADEL that shows keys at creation only.
	os.Remove(path)
	s.actions.HideKeys = true
	changes := s.actions.Changes()
	err := s.run(setup.Run, nil)
	if err == nil || !strings.Contains(err.Error(), "--rotate") || !strings.Contains(err.Error(), path) || s.actions.Changes() != changes {
		t.Error(err)
	}
	s.setup(func(o *setup.Options) { o.Rotate = true })
	s.wantKeys(s.key())
	s.setup(nil)
	s.WantSaid("kept key file")
}

// The group of the file may be who listens.
func TestAKeyFileKeepsItsGroup(t *testing.T) {
	s := newScene(t, zitadel.TransportGRPC)
	s.setup(nil)
	path := filepath.Join(s.options.KeysDir, "siem")
	for before, after := range map[os.FileMode]os.FileMode{0o644: 0o640, 0o640: 0o640, 0o400: 0o600} {
		if err := os.Chmod(path, before); err != nil {
			t.Fatal(err)
		}
		s.setup(func(o *setup.Options) { o.Rotate = true })
		if info, err := os.Stat(path); err != nil || info.Mode() != after {
			t.Errorf("%s became %s, %v", before, info.Mode(), err)
		}
	}
}

func TestNothingIsChangedWhereTheKeyCouldNotBeWritten(t *testing.T) {
	s := newScene(t, zitadel.TransportGRPC)
	dir := s.options.KeysDir
	for name, spoil := range map[string]func(*setup.Options){
		"no directory": func(o *setup.Options) { o.KeysDir = filepath.Join(dir, "away") },
		"a directory of that name": func(o *setup.Options) {
			o.Name = "dir"
			os.Mkdir(filepath.Join(dir, "dir"), 0o700)
		},
		"no room for a new file": func(o *setup.Options) { // what stands in the way, root or not
			o.Name = "blocked"
			os.MkdirAll(filepath.Join(dir, ".blocked.new", "x"), 0o700)
		},
		"something else": func(o *setup.Options) {
			o.Name = "other"
			os.WriteFile(filepath.Join(dir, "other"), []byte("x\n"), 0o600)
		},
		"full": func(o *setup.Options) {
			o.Name = "full"
			os.WriteFile(filepath.Join(dir, "full"), []byte(strings.Repeat("a-key-of-16-bytes\n", 8)), 0o600)
		},
	} {
		if err := s.run(setup.Run, spoil); err == nil || s.actions.Changes() != 0 {
			t.Errorf("%s: %v, %d changes", name, err, s.actions.Changes())
		}
	}
}

func TestTargetThatCouldHoldLoginsIsLoosened(t *testing.T) {
	s := newScene(t, zitadel.TransportGRPC)
	s.setup(nil)
	id := s.actions.Target("siem").GetId()
	if _, err := s.actions.Do(&actionpb.UpdateTargetRequest{Id: id, PayloadType: actionpb.PayloadType_PAYLOAD_TYPE_JWT, Timeout: durationpb.New(time.Minute),
		TargetType: &actionpb.UpdateTargetRequest_RestWebhook{RestWebhook: &actionpb.RESTWebhook{InterruptOnError: true}}}); err != nil {
		t.Fatal(err)
	}
	s.setup(nil)
	s.WantSaid("its type to asynchronous", "its payload to JSON")
	if got := s.actions.Target("siem"); got.GetRestAsync() == nil || got.GetPayloadType() != actionpb.PayloadType_PAYLOAD_TYPE_JSON || got.GetTimeout().AsDuration() != time.Minute {
		t.Error(got.GetTargetType(), got.GetPayloadType(), got.GetTimeout())
	}
}

func TestWhatZITADELRefusesSaysWhatToDo(t *testing.T) {
	for _, transport := range []string{zitadel.TransportGRPC, zitadel.TransportREST} {
		s := newScene(t, transport)
		s.Server.AddToken("token-of-an-org-owner", zitadeltest.OrgOwner, time.Time{})
		s.Server.AddToken("token-without-a-role", zitadeltest.NoRole, time.Time{})
		s.actions.Deny = "10.0.0.1"
		for _, c := range []struct {
			token, endpoint string
			want            []string
		}{
			{s.Server.Token(), "", []string{"PermissionDenied", "IAM_OWNER_VIEWER is not enough", "the role IAM_OWNER "}},
			{"token-of-an-org-owner", "", []string{"PermissionDenied", "the role IAM_OWNER "}},
			{"token-without-a-role", "", []string{"has no role", "the role IAM_OWNER "}},
			{"no-such-token-0123", "", []string{"token is wrong"}},
			{owner, "https://10.0.0.1", []string{"deny list"}},
		} {
			s.client = s.Connect(transport, c.token)
			err := s.run(setup.Run, func(o *setup.Options) {
				if c.endpoint != "" {
					o.Endpoint = at(c.endpoint)
				}
			})
			for _, part := range c.want {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("%s: %q is missing in %v", transport, part, err)
				}
			}
			if err != nil && strings.Contains(err.Error(), c.token) {
				t.Errorf("the token is in %v", err)
			}
			if files, _ := os.ReadDir(s.options.KeysDir); s.actions.Changes() != 0 || len(files) != 0 {
				t.Errorf("%s: %d changes, files %v", transport, s.actions.Changes(), files)
			}
		}
	}
}

func TestEventsThatZITADELDoesNotKnowAreRefused(t *testing.T) {
	s := newScene(t, zitadel.TransportGRPC)
	for item, fix := range map[string]string{"user.human.aded": "did you mean user.human.added?", "usr": "did you mean user", "nothing.like.this.ever": "pull"} {
		err := s.run(setup.Run, events("all", item))
		if _, ok := errors.AsType[*setup.EventsError](err); !ok || !strings.Contains(err.Error(), fix) || s.actions.Changes() != 0 {
			t.Error(item, err)
		}
	}
}

// memory is a spool.
type memory struct{ entries atomic.Int64 }

func (m *memory) Append(_ context.Context, entries ...[]byte) error {
	m.entries.Add(int64(len(entries)))
	return nil
}

// What is written is what the endpoint for webhooks reads, under the path that ZITADEL was given.
func TestTheEndpointTakesWhatZITADELSigns(t *testing.T) {
	s := newScene(t, zitadel.TransportGRPC)
	s.setup(nil)
	spool := &memory{}
	endpoint, err := webhook.New(config.Settings{URL: at("https://zitadel.example.com"), Listen: config.ListenSettings{KeysDir: s.options.KeysDir, Plain: true}}, spool, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		body := fmt.Sprintf(`{"aggregateID":"1","aggregateType":"user","resourceOwner":"1","instanceID":"1","version":"v2","sequence":%d,`+
			`"event_type":"user.locked","created_at":"2026-11-22T09:29:35Z","userID":"1","event_payload":{}}`, i+1)
		target := s.actions.Target("siem")
		r := httptest.NewRequest(http.MethodPost, target.GetEndpoint(), strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set(webhook.SignatureHeader, actions.ComputeSignatureHeader(time.Now(), []byte(body), target.GetSigningKey()))
		w := httptest.NewRecorder()
		endpoint.ServeHTTP(w, r)
		if w.Code != http.StatusOK || spool.entries.Load() != int64(i+1) {
			t.Fatalf("answer %d, %d entries", w.Code, spool.entries.Load())
		}
		time.Sleep(150 * time.Millisecond) // the endpoint looks at its files ten times a second
		s.setup(func(o *setup.Options) { o.Rotate = true })
	}
}
