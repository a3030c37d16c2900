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

// WantOptions wants that the real Fluent Bit hands every option to a plugin. Each value
// is in quotes, which a plugin refuses for every option and names it. section is the
// pipeline, with OPTIONS on a line of its own, indented by six spaces, where they belong.
func WantOptions(t *testing.T, plugin, section string, options config.Options) {
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
