package scripts

import (
	"strings"
	"testing"

	managementpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

func TestLookFindsWhatIsWrongWithTheRoleOfAReader(t *testing.T) {
	s := newScene(t, zitadel.TransportGRPC)
	reader := s.connect(zitadel.TransportREST, viewer)
	look := func(max int) *Report {
		t.Helper()
		var report *Report
		var err error
		s.unchanged(func() { report, err = Look(t.Context(), reader, max) })
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	want := func(report *Report, right int, texts ...string) {
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
	s.do(second, &managementpb.DeactivateActionRequest{Id: id})
	want(look(10), 1, "deactivated")
	s.do(second, &managementpb.DeleteActionRequest{Id: id})

	old := s.action(second, LogName, strings.Replace(Log().Source, "// The action", "// An action", 1))
	s.flow(second, "3", "1", old)
	s.flow(second, "3", "2", old)
	want(look(10), 1, "is not as this version installs it; to change: its script, which is another version of ours; its time limit from 10s to 1s; allow it to fail",
		"is not in the flow External Authentication", "under Pre Creation")
	// By name, Second comes before ZITADEL.
	if report := look(1); report.Orgs != 2 || report.Looked != 1 || report.Right != 0 {
		t.Errorf("%+v", report)
	}
}
