package setup_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/calls"
	"github.com/zitadel-siem/zitadel-siem/internal/setup"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

func methods(list ...string) func(*setup.Options) {
	return func(o *setup.Options) { o.Calls, o.Methods = true, list }
}

const sessions, addHuman = "zitadel.session.v2.SessionService", "/zitadel.user.v2.UserService/AddHumanUser"

func TestCallsOfAllWritingMethodsAndNoOther(t *testing.T) {
	s := newScene(t, zitadel.TransportGRPC)
	s.setup(methods("writing"))
	all := s.actions.Executions()
	if !slices.Equal(all["event"], []string{"siem"}) {
		t.Error(all["event"])
	}
	delete(all, "event")
	for id := range all {
		_, method, _ := strings.Cut(id, "/")
		if calls.Reading(method) {
			t.Error(id)
		}
	}
	// This ZITADEL has all methods of the client that belong to an instance.
	if want := 2 * len(calls.Methods()); len(all) != want {
		t.Errorf("%d executions, want %d", len(all), want)
	}
	for _, id := range []string{"request" + addHuman, "response" + addHuman, "request/" + sessions + "/CreateSession"} {
		if !slices.Equal(all[id], []string{"siem"}) {
			t.Error(id, all[id])
		}
	}
	s.WantSaid("done send requests of 8 methods of zitadel.action.v2.ActionService to target siem", "done send responses of 1 method of zitadel.saml.v2.SAMLService", "note this costs ZITADEL two more HTTP requests to siem.example.com:8443 for each call")
	if len(s.Said) > 120 {
		t.Errorf("%d lines were said", len(s.Said))
	}

	changes := s.actions.Changes()
	s.setup(methods("writing"))
	if n := s.actions.Changes() - changes; n != 0 {
		t.Errorf("a second run made %d changes", n)
	}
	s.WantSaid("kept requests of ")
	s.setup(nil) // without calls, they stay
	if n := s.actions.Changes() - changes; n != 0 {
		t.Errorf("a run for events made %d changes", n)
	}
	s.WantSaid("executions for API calls go to target siem and stay")

	if err := s.run(setup.Remove, methods("writing")); err != nil {
		t.Fatal(err)
	}
	s.wantExecutions(map[string][]string{"event": {"siem"}})
	s.setup(methods(sessions))
	if err := s.run(setup.Remove, nil); err != nil {
		t.Fatal(err)
	}
	s.wantExecutions(map[string][]string{})
	s.WantSaid("take target siem out of the executions for requests of 3 methods of "+sessions, "done delete target siem")
}

func TestCalls_OthersKeepTheirTargets(t *testing.T) {
	s := newScene(t, zitadel.TransportREST)
	theirs := s.target("theirs")
	s.execution(service("zitadel.user.v2.UserService"), theirs)
	before := s.actions.Executions()
	s.setup(methods(strings.TrimPrefix(addHuman, "/"), sessions))
	all := s.actions.Executions()
	// The new execution is closer than theirs, which would not run any more.
	if !slices.Equal(all["request"+addHuman], []string{"siem", "theirs"}) || !slices.Equal(all["response"+addHuman], []string{"siem"}) || len(all) != 1+1+2+2*3 {
		t.Error(all)
	}
	s.setup(methods(addHuman)) // fewer
	if all := s.actions.Executions(); len(all) != 1+1+2 {
		t.Error(slices.Sorted(maps.Keys(all)))
	}
	if err := s.run(setup.Remove, nil); err != nil {
		t.Fatal(err)
	}
	s.wantExecutions(before)
}

func TestCalls_DryRunChangesNothing(t *testing.T) {
	s := newScene(t, zitadel.TransportGRPC)
	s.setup(func(o *setup.Options) { o.Calls, o.Methods, o.DryRun = true, []string{sessions}, true })
	s.WantSaid("would send requests of 3 methods of "+sessions, "would send responses of 3", "note this costs")
	s.setup(methods(sessions))
	changes := s.actions.Changes()
	if err := s.run(setup.Remove, func(o *setup.Options) { o.Calls, o.DryRun = true, true }); err != nil {
		t.Fatal(err)
	}
	s.WantSaid("would take target siem out of the executions for responses of 3 methods of " + sessions)
	if s.actions.Changes() != changes {
		t.Error("something was changed")
	}
}

func TestCalls_ReadingAndUnknownMethodsAreRefused(t *testing.T) {
	s := newScene(t, zitadel.TransportGRPC)
	for item, says := range map[string]string{
		"zitadel.user.v2.UserService/GetUserByID":   "reading method",
		"zitadel.user.v2.UserService/AddHumanUsr":   "did you mean zitadel.user.v2.UserService/AddHumanUser?",
		"zitadel.session.v2.SessionServices":        "did you mean zitadel.session.v2.SessionService?",
		"grpc.health.v1.Health":                     "reading methods only",
		"/zitadel.user.v2.UserService/NothingLike/": "is neither",
	} {
		err := s.run(setup.Run, methods("writing", item))
		if _, ok := errors.AsType[*setup.MethodsError](err); !ok || !strings.Contains(err.Error(), says) || s.actions.Changes() != 0 {
			t.Error(item, err)
		}
	}
}
