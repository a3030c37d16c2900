package testkit_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		testkit.RemoveBuilt()
		os.Exit(code)
	}))
}

func TestNothingThatIsShippedContainsIt(t *testing.T) {
	t.Parallel()
	const module = "github.com/zitadel-siem/zitadel-siem/"
	for _, shipped := range []string{"cmd/zitadel-siem", "cmd/zitadel-siem-demo", "plugin/in_zitadel", "plugin/out_zitadel"} {
		out, err := exec.Command("go", "list", "-deps", module+shipped).Output()
		if err != nil || !strings.Contains(string(out), module+"parser\n") && !strings.Contains(string(out), module+"internal/config\n") {
			t.Fatalf("%s: %v\n%s", shipped, err, out)
		}
		for name := range strings.Lines(string(out)) {
			if strings.HasPrefix(name, module+"internal/testkit") || name == "testing\n" {
				t.Errorf("%s contains %s", shipped, name)
			}
		}
	}
}
