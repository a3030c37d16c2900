package plugintest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

func TestMain(m *testing.M) { Main(m) }

// Fluent Bit keeps some properties for itself, and then a plugin never sees them. The C
// host keeps none, so only the real one can show it.
func TestFluentBit_EveryOptionReachesThePlugin(t *testing.T) {
	t.Parallel()
	t.Run("in_zitadel", func(t *testing.T) {
		t.Parallel()
		wantOptions(t, "in_zitadel", `
pipeline:
  inputs:
    - name: zitadel
      threaded: off
      OPTIONS
  outputs:
    - name: "null"
      match: '*'
`, config.Input.Options)
	})
	t.Run("out_zitadel", func(t *testing.T) {
		t.Parallel()
		wantOptions(t, "out_zitadel", `
pipeline:
  inputs:
    - name: dummy
      tag: zitadel
  outputs:
    - name: zitadel
      match: '*'
      workers: 1
      OPTIONS
`, config.Output.Options)
	})
}

// wantOptions wants that the real Fluent Bit hands every option to a plugin. Each value
// is in quotes, which a plugin refuses for every option and names it. section is the
// pipeline, with OPTIONS on a line of its own, indented by six spaces, where they belong.
func wantOptions(t *testing.T, plugin, section string, options config.Options) {
	t.Helper()
	var lines []string
	for _, o := range options {
		lines = append(lines, fmt.Sprintf(`%s: '"x"'`, o.Name))
	}
	path := filepath.Join(t.TempDir(), "fluent-bit.yaml")
	text := strings.Replace(section, "OPTIONS", strings.Join(lines, "\n      "), 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f := StartFluentBit(t, path, nil, plugin)
	if err := f.Wait(); err == nil {
		t.Error("fluent-bit started with wrong options")
	}
	for _, o := range options {
		refused := regexp.MustCompile(`(?m)[] ]` + o.Name + `: .*is in quotes`)
		if !refused.MatchString(f.Log.String()) {
			t.Errorf("%s does not reach the plugin: Fluent Bit keeps it, or an option of a similar name", o.Name)
		}
	}
}
