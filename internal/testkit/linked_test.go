package testkit

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/zitadel-siem/zitadel-siem/"

func TestTagsAreThoseOfBuildSh(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("../../build.sh")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(script), "\ntags="+tags+"\n") {
		t.Errorf("build.sh has other tags than %s", tags)
	}
}

// docs/adr/0018-only-the-services-that-are-called.md has the size of each.
func TestNothingIsLinkedThatIsNotNeeded(t *testing.T) {
	t.Parallel()
	unwanted := map[string]string{
		"github.com/zitadel/zitadel-go/v3/pkg/client":  "links all services of ZITADEL; call a generated client on a connection of internal/zitadel",
		"github.com/zitadel/zitadel-go/v3/pkg/zitadel": "comes with zitadel-go/v3/pkg/client",
		"github.com/zitadel/oidc/v3/pkg/oidc":          "needs the names of all languages; sign with go-jose",
		"golang.org/x/net/trace":                       "needs html/template: the tag grpcnotrace leaves it out",
		"github.com/dop251/goja":                       "runs the scripts in tests only",
		"github.com/bradleyjkemp/sigma-go":             "is compared with in tests only",
		"github.com/sirupsen/logrus":                   "is compared with in tests only",
		"github.com/santhosh-tekuri/jsonschema/v6":     "checks records in tests only",
	}
	inPlugin := map[string]string{
		"github.com/alecthomas/kong":                         "is for commands",
		"github.com/prometheus/client_golang/prometheus":     "is for the sidecar",
		"github.com/IBM/fluent-forward-go/fluent/client":     "is for the output",
		module + "internal/sidecar":                          "is for the sidecar",
		module + "internal/page":                             "is for the sidecar",
		module + "internal/setup":                            "is for commands",
		"go.opentelemetry.io/otel":                           "comes with zitadel/oidc's client",
		"github.com/zitadel/zitadel-go/v3/pkg/authorization": "comes with zitadel-go/v3/pkg/client",
	}
	for _, shipped := range []string{"cmd/zitadel-siem", "plugin/in_zitadel", "plugin/out_zitadel"} {
		out, err := exec.Command("go", "list", "-deps", "-tags", tags, module+shipped).Output()
		if err != nil || !strings.Contains(string(out), module+"internal/config\n") {
			t.Fatalf("%s: %v\n%s", shipped, err, out)
		}
		for name := range strings.Lines(string(out)) {
			name = strings.TrimSpace(name)
			if why, ok := unwanted[name]; ok {
				t.Errorf("%s contains %s, which %s", shipped, name, why)
			}
			if why, ok := inPlugin[name]; ok && shipped == "plugin/in_zitadel" {
				t.Errorf("%s contains %s, which %s", shipped, name, why)
			}
		}
	}
}

// The linker drops methods that nothing calls, unless some code may call any method by
// a name that it computes, as text/template does.
func TestTheLinkerDropsMethodsOfThePlugin(t *testing.T) {
	t.Parallel()
	plugin, err := os.ReadFile(Plugin(t, "in_zitadel"))
	if err != nil {
		t.Fatal(err)
	}
	const client = "zitadel/admin.(*adminServiceClient)."
	if !bytes.Contains(plugin, []byte(client+"ListEvents\x00")) {
		t.Fatalf("%sListEvents is not in the plugin's table of functions", client)
	}
	if bytes.Contains(plugin, []byte(client+"RemoveOrg\x00")) {
		t.Error("the plugin has methods that nothing calls: something linked calls methods by name (text/template?)")
	}
}

var initialized = regexp.MustCompile(`(?m)^init (\S+) @.* (\d+) bytes, \d+ allocs$`)

// What a package computes before main is paid at every start, and in each test.
func TestStartingAllocatesLittle(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(Program(t), "version")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	var trace strings.Builder
	cmd.Stderr = &trace
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, trace.String())
	}
	packages := initialized.FindAllStringSubmatch(trace.String(), -1)
	if len(packages) < 50 {
		t.Fatalf("%d packages were initialized:\n%s", len(packages), trace.String())
	}
	for _, p := range packages {
		if bytes, _ := strconv.Atoi(p[2]); bytes > 1<<20 {
			t.Errorf("package %s allocates %d bytes before main", p[1], bytes)
		}
	}
}
