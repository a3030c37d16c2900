package calls_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	_ "github.com/zitadel/zitadel-go/v3/pkg/client" // registers the descriptors
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/zitadel-siem/zitadel-siem/internal/calls"
)

func lines(t *testing.T, name string) (list []string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		if s, _, _ := strings.Cut(strings.TrimSpace(string(line)), "\t"); s != "" && s[0] != '#' {
			list = append(list, s)
		}
	}
	return list
}

// quiet are the methods that change something and write no event, or none that a call is
// looked for: mail that is tested, projections, features that nobody can set yet.
var quiet = []string{"RemoveFailedEvent", "TestEmailProvider", "TestSMTPConfig", "ResetOrganizationFeatures", "ResetUserFeatures", "SetOrganizationFeatures", "SetUserFeatures", "RetrieveIdentityProviderIntent"}

// The table knows the methods that a real ZITADEL lists, and event types that it registers.
// What writes is in it, and what reads is not.
func TestTheTableFitsARealZITADEL(t *testing.T) {
	types := lines(t, "../zitadeltest/data/event_types.tsv")
	real := lines(t, "../zitadeltest/data/execution_methods.txt")
	written, writing := map[string]bool{}, map[string]bool{}
	for _, m := range real {
		for _, typ := range types {
			if calls.CanWrite(m, typ) {
				written[typ], writing[m] = true, true
			}
		}
		if writing[m] && calls.Reading(m) {
			t.Errorf("%s writes", m)
		}
	}
	for _, m := range calls.TableMethods() {
		if !writing[m] {
			t.Errorf("%s is not in a real ZITADEL, or writes no event that it registers", m)
		}
	}
	for _, m := range calls.Methods() {
		if !writing[m] && !slices.ContainsFunc(quiet, func(q string) bool { return strings.Contains(m, "/"+q) }) {
			t.Errorf("%s is not in the table", m)
		}
	}
	// The others are written by OIDC and SAML endpoints, login V1, background jobs, or are old.
	if len(written) < 420 {
		t.Errorf("only %d types are written by calls", len(written))
	}
	t.Logf("%d methods write %d of %d types", len(writing), len(written), len(types))
}

// What a method writes: names that stand for the rest.
func TestTheTableSaysWhatAMethodWrites(t *testing.T) {
	const session, user, management = "/zitadel.session.v2.SessionService/", "/zitadel.user.v2.UserService/", "/zitadel.management.v1.ManagementService/"
	for _, c := range []struct {
		method, typ string
		can         bool
	}{
		{session + "CreateSession", "session.added", true},
		{session + "SetSession", "user.human.password.check.failed", true},
		{session + "SetSession", "user.locked", true},
		{session + "SetSession", "session.added", false},
		{session + "DeleteSession", "session.terminated", true},
		{user + "AddHumanUser", "user.human.added", true},
		{user + "AddHumanUser", "user.removed", false},
		{user + "DeactivateUser", "user.deactivated", true},
		{user + "DeactivateUser", "user.reactivated", false},
		{management + "SetUserMetadata", "user.metadata.set", true},
		{management + "AddOrgMember", "org.member.added", true},
		{management + "AddOrgMember", "instance.member.added", false},
		{"/zitadel.admin.v1.AdminService/AddIAMMember", "instance.member.added", true},
		{"/zitadel.action.v2.ActionService/SetExecution", "execution.v2.set", true},
		{user + "GetUserByID", "user.human.added", false},
		{"/no.such/Method", "user.human.added", false},
	} {
		if calls.CanWrite(c.method, c.typ) != c.can {
			t.Errorf("%s %s: want %v", c.method, c.typ, c.can)
		}
	}
}

// All but few responses of methods that write name a date in the fields that webhook looks at.
func TestMostResponsesNameADate(t *testing.T) {
	dates := []string{"changeDate", "creationDate", "deletionDate", "deactivationDate", "reactivationDate", "removalDate", "setDate"}
	var without []string
	for _, m := range calls.Methods() {
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(strings.ReplaceAll(m[1:], "/", ".")))
		if err != nil {
			t.Fatal(err)
		}
		named := false
		for _, out := range []protoreflect.MessageDescriptor{d.(protoreflect.MethodDescriptor).Output()} {
			for i := range out.Fields().Len() {
				f := out.Fields().Get(i)
				named = named || slices.Contains(dates, f.JSONName()) ||
					f.JSONName() == "details" && f.Message() != nil && f.Message().Fields().ByJSONName("changeDate") != nil
			}
		}
		if !named {
			without = append(without, m)
		}
	}
	t.Logf("%d of %d methods name no date: %s", len(without), len(calls.Methods()), without)
	if len(without) > 15 {
		t.Error("more than before")
	}
}

func TestReadingIsAVerbAndNoBeginning(t *testing.T) {
	for name, want := range map[string]bool{"GetUser": true, "/a.B/ListUsers": true, "IsUserUnique": true, "Get": true, "IssueToken": false, "Checkout": false, "AddUser": false, "/a.Get/Remove": false} {
		if calls.Reading(name) != want {
			t.Error(name)
		}
	}
}
