package scripts

import (
	"context"
	"errors"
	"strings"
	"testing"

	managementpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"google.golang.org/protobuf/proto"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

func TestLookFindsWhatIsWrongWithTheRoleOfAReader(t *testing.T) {
	s := newScene(t, zitadel.TransportGRPC)
	reader := s.Connect(zitadel.TransportREST, viewer)
	look := func(max int) Report {
		t.Helper()
		var report Report
		var err error
		s.unchanged(func() { report, err = Look(t.Context(), reader, max) })
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	want := func(report Report, right int, texts ...string) {
		t.Helper()
		var all []string
		for _, f := range report.Found {
			all = append(all, f.Org+": "+f.Text+" -> "+f.Fix)
		}
		if len(all) != len(texts) || report.Right != right {
			t.Errorf("%d right, %d findings, want %d and %d:\n%s", report.Right, len(all), right, len(texts), strings.Join(all, "\n"))
		}
		for _, text := range texts {
			if !strings.Contains(strings.Join(all, "\n"), text) {
				t.Errorf("%q is missing in\n%s", text, strings.Join(all, "\n"))
			}
		}
	}
	want(look(10), 0)
	s.install(nil)
	want(look(10), 1)

	second := s.orgs.Add("Second")
	id := s.action(second, "log", example)
	want(look(10), 1, "Second ("+second+"): action log ("+id+", in no flow")
	if !look(10).Found[0].Danger {
		t.Error("no danger")
	}
	s.flow(second, "1", "1", id)
	want(look(10), 1, "action log ("+id+", in the flow External Authentication, Post Authentication) prints or sends the whole request")
	s.flow(second, "1", "1")
	s.flow(second, "2", "5", id)
	want(look(10), 1, "action log ("+id+", in the flow Complement Token, Pre Access Token Creation) prints or sends the whole request")
	s.do(second, &managementpb.DeactivateActionRequest{Id: id})
	want(look(10), 1, "deactivated")
	s.do(second, &managementpb.DeleteActionRequest{Id: id})

	old := s.action(second, LogName, anotherVersion(-1))
	s.flow(second, "3", "1", old)
	s.flow(second, "3", "2", old)
	want(look(10), 1, "is not as this version installs it; to change: its script, which is another version of ours; its time limit from 10s to 1s; allow it to fail",
		"is not in the flow External Authentication", "under Pre Creation")
	third := s.orgs.Add("Third")
	action := s.action(third, LogName, Log().Source+"// edited")
	for source, says := range map[string][]string{
		Log().Source + "// edited": {"replace its script, which somebody has edited", "setup log --org " + third + " and --replace"},
		anotherVersion(+1):         {"action post_auth_log has the script of a newer zitadel-siem", "use the newer zitadel-siem"},
	} {
		s.do(third, &managementpb.UpdateActionRequest{Id: action, Name: LogName, Script: source})
		for _, f := range look(10).Found[3:] { // after those of Second
			if !strings.Contains(f.Text+f.Fix, says[1]) {
				t.Errorf("%+v", f)
			}
		}
		if first := look(10).Found[3]; !strings.Contains(first.Text, says[0]) {
			t.Errorf("%+v, want %s", first, says[0])
		}
	}
	// By name, Second comes before ZITADEL.
	if report := look(1); report.Orgs != 3 || report.Looked != 1 || report.Right != 0 {
		t.Errorf("%+v", report)
	}
}

// What was found before an error is said.
func TestLookKeepsWhatItFoundBeforeAnError(t *testing.T) {
	s := newScene(t, zitadel.TransportGRPC)
	second := s.orgs.Add("Another") // comes first by name
	s.action(second, "log", example)
	s.install(nil)
	calls := 0
	s.Server.Update(func(f *zitadeltest.Faults) {
		f.BeforeQuery = func(_ context.Context, method string, _ proto.Message) error {
			if method == "ListActions" {
				if calls++; calls > 1 {
					return errors.New("the database is away")
				}
			}
			return nil
		}
	})
	report, err := Look(t.Context(), s.client, 10)
	if err == nil || report.Orgs != 2 || report.Looked != 1 || len(report.Found) != 1 || !report.Found[0].Danger {
		t.Errorf("%+v %v", report, err)
	}
}
