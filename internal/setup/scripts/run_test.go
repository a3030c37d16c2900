package scripts

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	actionpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/action"
	managementpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"google.golang.org/protobuf/proto"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

func TestFirstRunInstallsAndTheSecondChangesNothing(t *testing.T) {
	for _, transport := range []string{zitadel.TransportGRPC, zitadel.TransportREST} {
		t.Run(transport, func(t *testing.T) {
			s := newScene(t, transport)
			s.install(nil)
			s.wantScript(s.first, Log())
			s.wantFlows(s.first, LogName)
			s.WantSaid("done ZITADEL ("+s.first+"): create action post_auth_log", "done", "put post_auth_log into the flow External Authentication", "flow Internal Authentication")
			s.unchanged(func() { s.install(nil) })
			s.WantSaid("kept ZITADEL ("+s.first+"): action post_auth_log", "post_auth_log is in the flow External", "post_auth_log is in the flow Internal")

			if err := s.run(Remove, nil); err != nil {
				t.Fatal(err)
			}
			s.WantSaid("done", "delete action post_auth_log, which takes it out of the flow External Authentication, Post Authentication and of Internal")
			s.wantFlows(s.first)
			s.unchanged(func() {
				if err := s.run(Remove, nil); err != nil {
					t.Fatal(err)
				}
			})
			s.WantSaid("kept", "there is no action post_auth_log")
			s.install(nil) // after a removal as before it
			s.wantFlows(s.first, LogName)
		})
	}
}

func TestDryRunSaysEverythingAndChangesNothing(t *testing.T) {
	s := newScene(t, zitadel.TransportGRPC)
	s.client = s.Connect(zitadel.TransportGRPC, viewer) // reading is enough
	dry := func(o *Options) { o.DryRun, o.Orgs = true, []string{AllOrgs} }
	s.action(s.first, "theirs", harmlessScript("theirs"))
	s.unchanged(func() { s.install(dry) })
	s.WantSaid("would", "create action post_auth_log", "put post_auth_log into the flow External", "put post_auth_log into the flow Internal")
	s.client = s.Connect(zitadel.TransportGRPC, owner)
	s.install(nil)
	s.unchanged(func() {
		if err := s.run(Remove, dry); err != nil {
			t.Fatal(err)
		}
	})
	s.WantSaid("would", "delete action post_auth_log")
}

func TestOthersKeepTheirActionsInTheirOrder(t *testing.T) {
	s := newScene(t, zitadel.TransportREST)
	a, b, c := s.action(s.first, "a", harmlessScript("a")), s.action(s.first, "b", harmlessScript("b")), s.action(s.first, "c", harmlessScript("c"))
	s.do(s.first, &managementpb.DeactivateActionRequest{Id: a}) // an inactive action keeps its place too
	s.flow(s.first, "1", "1", c, a, b)
	s.flow(s.first, "3", "1", b, c, a)
	s.flow(s.first, "1", "2", b)
	s.install(nil)
	want := func(external, internal string) {
		t.Helper()
		got := strings.Join(s.orgs.Flow(s.first, "1", "1"), " ") + "/" + strings.Join(s.orgs.Flow(s.first, "3", "1"), " ") + "/" + strings.Join(s.orgs.Flow(s.first, "1", "2"), " ")
		if got != external+"/"+internal+"/b" {
			t.Error(got)
		}
	}
	want("c a b "+LogName, "b c a "+LogName)
	s.WantSaid("behind the 3 actions that are there")
	s.unchanged(func() { s.install(nil) })
	// An inactive action, a, fails nothing.
	s.WantSaid("note", "in the flow External Authentication, actions that are not allowed to fail run before post_auth_log: c, b; where")

	// A place that somebody chose is kept.
	ours := s.orgs.Script(s.first, LogName).GetId()
	s.flow(s.first, "1", "1", ours, c, a, b)
	s.unchanged(func() { s.install(nil) })
	if err := s.run(Remove, nil); err != nil {
		t.Fatal(err)
	}
	want("c a b", "b c a")
}

func TestAChangedActionIsBroughtToDate(t *testing.T) {
	s := newScene(t, zitadel.TransportGRPC)
	id := s.action(s.first, LogName, anotherVersion(-1)) // 10 s, not allowed to fail
	s.do(s.first, &managementpb.DeactivateActionRequest{Id: id})
	s.install(nil)
	s.WantSaid("done", "change action post_auth_log: its script, which is another version of ours; its time limit from 10s to 1s; allow it to fail", "activate action post_auth_log")
	s.wantScript(s.first, Log())
	s.wantFlows(s.first, LogName)

	// The console may end lines in its own way.
	s.do(s.first, &managementpb.UpdateActionRequest{Id: id, Name: LogName, Script: strings.ReplaceAll(Log().Source, "\n", "\r\n"), Timeout: s.orgs.Script(s.first, LogName).GetTimeout(), AllowedToFail: true})
	s.unchanged(func() { s.install(nil) })
}

// Version 1 of the scripts, as it was installed, is ours and is replaced. The webhook script keeps
// its settings.
func TestVersion1IsFoundAndReplaced(t *testing.T) {
	s := newScene(t, zitadel.TransportGRPC)
	endpoint, err := ParseEndpoint("https://siem.example.com/zitadel/post-auth", false)
	if err != nil {
		t.Fatal(err)
	}
	const key = "a-key-of-24-characters.."
	for _, want := range []zitadel.Script{Log(), Webhook(endpoint, key)} {
		old, err := os.ReadFile("../../../actions-scripts/testdata/v1/" + want.Name + ".js")
		if err != nil {
			t.Fatal(err)
		}
		source := strings.Replace(string(old), `var KEY = "CHANGE-ME";`, `var KEY = "`+key+`";`, 1)
		id := s.action(s.first, want.Name, source)
		if from := originOf(want.Name, source); from != unedited {
			t.Errorf("%s: origin %d", want.Name, from)
		}
		report, err := Look(t.Context(), s.Connect(zitadel.TransportREST, viewer), 10)
		if err != nil || len(report.Found) == 0 || !strings.Contains(report.Found[0].Text, "its script, which is another version of ours") || strings.Contains(report.Found[0].Text, "endpoint") || strings.Contains(report.Found[0].Fix, "--replace") {
			t.Errorf("%v %+v", err, report.Found)
		}
		s.install(func(o *Options) { o.Script = want })
		s.WantSaid("change action " + want.Name + ": its script, which is another version of ours")
		s.wantScript(s.first, want)
		if got := s.orgs.Script(s.first, want.Name).GetId(); got != id {
			t.Errorf("%s is another action", want.Name)
		}
	}
	s.wantFlows(s.first, LogName, WebhookName)
}

// A copy that somebody edited, and the script of a newer zitadel-siem, are left alone.
func TestAnEditedScriptAndANewerOneStay(t *testing.T) {
	changed := strings.Replace(Log().Source, "It reads no form", "It takes no form", 1)
	_, withoutVersion, _ := strings.Cut(Log().Source, "\n")
	for _, c := range []struct {
		name, source, says string
		replace            bool // does replace it
	}{
		{"edited", changed, "changes by somebody", true},
		{"without a version", withoutVersion, "before the scripts had versions", true},
		{"edited, older", strings.Replace(anotherVersion(-1), "An action", "My action", 1), "changes by somebody", true},
		{"newer", anotherVersion(+1), "the script of a newer zitadel-siem", false},
		{"edited, newer", strings.Replace(anotherVersion(+1), "An action", "My action", 1), "the script of a newer zitadel-siem", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t, zitadel.TransportGRPC)
			s.action(s.first, LogName, c.source)
			replace := func(o *Options) { o.Replace = true }
			blocked := func(change func(*Options)) {
				t.Helper()
				s.unchanged(func() {
					if err := s.run(Run, change); err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "--replace") != c.replace {
						t.Error(err)
					}
				})
			}
			blocked(nil)
			if !c.replace {
				blocked(replace)
			} else {
				s.install(replace)
				s.WantSaid("replace its script, which somebody has edited")
				s.wantScript(s.first, Log())
				s.unchanged(func() { s.install(nil) })
			}
			if err := s.run(Remove, nil); err != nil || s.orgs.Script(s.first, LogName) != nil {
				t.Error(err)
			}
		})
	}
}

func TestAForeignActionOfOurNameIsInTheWay(t *testing.T) {
	s := newScene(t, zitadel.TransportGRPC)
	second := s.orgs.Add("Second")
	theirs := strings.Replace(example, "function log(", "function "+LogName+"(", 1)
	id := s.action(second, LogName, theirs)
	s.flow(second, "3", "1", id)
	err := s.run(Run, func(o *Options) { o.Orgs = []string{second} })
	blocked, ok := errors.AsType[*InTheWayError](err)
	if !ok || !blocked.Leaks || !strings.Contains(err.Error(), "--replace") {
		t.Fatal(err)
	}
	s.WantSaid("danger Second (" + second + "): action post_auth_log (" + id + ", in the flow Internal Authentication, Post Authentication) prints or sends the whole request")

	// The other organization is done.
	err = s.run(Run, func(o *Options) { o.Orgs = []string{AllOrgs} })
	if err == nil || !strings.Contains(err.Error(), "1 of 2 organizations failed") {
		t.Error(err)
	}
	s.WantSaid("FAIL Second", "done ZITADEL")
	s.wantFlows(s.first, LogName)
	if got := s.orgs.Script(second, LogName).GetScript(); got != theirs {
		t.Error("a foreign script was changed")
	}
	s.unchanged(func() {
		if err := s.run(Remove, func(o *Options) { o.Orgs = []string{second} }); err != nil {
			t.Fatal(err)
		}
	})
	s.WantSaid("kept Second", "is not ours, and stays")

	s.install(func(o *Options) { o.Orgs, o.Replace = []string{second}, true })
	s.WantSaid("replace its script, which is not ours")
	s.wantScript(second, Log())
	s.wantFlows(second, LogName)
}

func TestZITADELsExampleIsADangerAndStays(t *testing.T) {
	s := newScene(t, zitadel.TransportGRPC)
	id := s.action(s.first, "log", example)
	s.flow(s.first, "3", "1", id)
	s.action(s.first, "siem", Log().Source)
	s.install(nil)
	s.WantSaid("danger ZITADEL ("+s.first+"): action log ("+id+", in the flow Internal Authentication, Post Authentication) prints or sends the whole request",
		"treat the passwords and sessions", "note", "action siem", "cannot run")
	if got := s.orgs.Flow(s.first, "3", "1"); len(got) != 2 || got[0] != "log" || s.orgs.Script(s.first, "log").GetScript() != example {
		t.Error(got)
	}
}

// Whatever step fails, the flows work, and the next run completes it.
func TestAFailureInTheMiddleLeavesAWorkingFlowAndTheNextRunCompletesIt(t *testing.T) {
	for _, method := range []string{"ListActions", "GetFlow", "CreateAction", "SetTriggerActions"} {
		for skip := range 3 {
			s := newScene(t, zitadel.TransportGRPC)
			theirs := s.action(s.first, "theirs", harmlessScript("theirs"))
			s.flow(s.first, "1", "1", theirs)
			s.flow(s.first, "3", "1", theirs)
			calls := 0
			s.Server.Update(func(f *zitadeltest.Faults) {
				f.BeforeQuery = func(_ context.Context, m string, _ proto.Message) error {
					if m == method {
						if calls++; calls > skip {
							return errors.New("the database is away")
						}
					}
					return nil
				}
			})
			failed := s.run(Run, nil)
			for _, flow := range flows {
				if got := s.orgs.Flow(s.first, flow.id, "1"); got[0] != "theirs" || len(got) > 2 || len(got) == 2 && got[1] != LogName {
					t.Errorf("%s %d: %q", method, skip, got)
				}
			}
			s.Server.Update(func(f *zitadeltest.Faults) { f.BeforeQuery = nil })
			if failed != nil {
				s.install(nil)
			}
			s.wantFlows(s.first, "theirs", LogName)
		}
	}
}

// Somebody edits a flow after we have looked: the list is read again before it is written.
func TestAChangeBetweenLookingAndWritingIsKept(t *testing.T) {
	s := newScene(t, zitadel.TransportREST)
	a, b := s.action(s.first, "a", harmlessScript("a")), s.action(s.first, "b", harmlessScript("b"))
	s.flow(s.first, "1", "1", a)
	s.flow(s.first, "3", "1", a)
	s.Server.Update(func(f *zitadeltest.Faults) {
		f.BeforeQuery = func(_ context.Context, m string, _ proto.Message) error {
			if m == "CreateAction" { // after the first look
				s.flow(s.first, "1", "1", b, a)
				s.flow(s.first, "3", "1", b, a)
			}
			return nil
		}
	})
	s.install(nil)
	s.wantFlows(s.first, "b", "a", LogName)
}

// ZITADEL's lists are older than its changes. A run waits for them, because the next one
// would write the older list back.
func TestARunEndsWhenZITADELShowsItsChanges(t *testing.T) {
	s := newScene(t, zitadel.TransportGRPC)
	var removed *actionpb.Action // a stale list still shows it
	stale := 0                   // answers that do not show the last change yet
	s.Server.Update(func(f *zitadeltest.Faults) {
		f.BeforeAnswer = func(_ context.Context, method string, _, answer proto.Message) error {
			switch {
			case method == "SetTriggerActions" || method == "DeleteAction":
				stale = 2
			case stale > 0 && method == "GetFlow":
				stale--
				answer.(*managementpb.GetFlowResponse).Flow.TriggerActions = nil
			case stale > 0 && method == "ListActions":
				stale--
				answer.(*managementpb.ListActionsResponse).Result = []*actionpb.Action{removed}
			}
			return nil
		}
	})
	s.install(nil)
	if stale != 0 {
		t.Error("the run ended before ZITADEL showed the flows")
	}
	removed = s.orgs.Script(s.first, LogName)
	if err := s.run(Remove, nil); err != nil || stale != 0 {
		t.Error(err, stale)
	}
}

// ZITADEL refuses a change that somebody has made a moment before.
func TestNoChangesIsNoError(t *testing.T) {
	s := newScene(t, zitadel.TransportGRPC)
	s.Server.Update(func(f *zitadeltest.Faults) {
		f.BeforeQuery = func(_ context.Context, m string, req proto.Message) error {
			if m == "SetTriggerActions" || m == "UpdateAction" {
				s.do(s.first, req) // the same, by somebody else
			}
			return nil
		}
	})
	s.install(nil)
	s.wantFlows(s.first, LogName)
	s.do(s.first, &managementpb.UpdateActionRequest{Id: s.orgs.Script(s.first, LogName).GetId(), Name: LogName, Script: anotherVersion(-1)})
	s.install(nil)
	s.wantScript(s.first, Log())
}

func TestErrorsNameTheRoleOrTheId(t *testing.T) {
	s := newScene(t, zitadel.TransportGRPC)
	second := s.orgs.Add("Second")
	for token, role := range map[string]zitadeltest.Role{"token-of-an-org-owner-012345": zitadeltest.OrgOwner, "token-without-a-role-0123456": zitadeltest.NoRole} {
		s.Server.AddToken(token, role, time.Time{})
	}
	for _, c := range []struct {
		token string
		orgs  []string
		says  []string
	}{
		{viewer, nil, []string{"create action post_auth_log", "ORG_OWNER", "IAM_OWNER"}},
		{"token-without-a-role-0123456", nil, []string{"has no role in this organization", "ORG_OWNER"}},
		{"token-of-an-org-owner-012345", []string{second}, []string{"organization " + second, "has no role in this organization", "ORG_OWNER"}},
		{"token-of-an-org-owner-012345", []string{AllOrgs}, []string{"only IAM_OWNER and IAM_OWNER_VIEWER may list all organizations"}},
		{owner, []string{"12345"}, []string{"organization 12345", "no such organization", "check the id"}},
		{"token-of-nobody-0123456789", nil, []string{"renew it"}},
	} {
		for _, transport := range []string{zitadel.TransportGRPC, zitadel.TransportREST} {
			s.client = s.Connect(transport, c.token)
			s.unchanged(func() {
				err := s.run(Run, func(o *Options) { o.Orgs = c.orgs })
				for _, part := range c.says {
					if err == nil || !strings.Contains(err.Error(), part) {
						t.Errorf("%s %v: %q is missing in %v", transport, c.orgs, part, err)
					}
				}
			})
		}
	}
	s.client = s.Connect(zitadel.TransportREST, "token-of-an-org-owner-012345")
	s.install(nil)
	s.wantFlows(s.first, LogName)
}

var _ Client = (*zitadel.Client)(nil)
