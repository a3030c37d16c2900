package grafana

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// strict returns what is wrong with a dashboard, by the types that Grafana publishes. They know
// the options of its panels and the queries of Prometheus and Loki.
func strict(data []byte) string {
	plugins.RegisterDefaultPlugins()
	var d dashboard.Dashboard
	var wrong []string
	// An error without a text is an empty list.
	if err := d.UnmarshalJSONStrict(data); err != nil && err.Error() != "" {
		wrong = append(wrong, err.Error())
	}
	if err := d.Validate(); err != nil && err.Error() != "" {
		wrong = append(wrong, err.Error())
	}
	if len(d.Panels) == 0 {
		wrong = append(wrong, "no panels")
	}
	return strings.Join(wrong, "\n")
}

func boards(t *testing.T) map[string][]byte {
	t.Helper()
	paths, _ := filepath.Glob("../*.json")
	if len(paths) < 2 {
		t.Fatalf("dashboards: %q", paths)
	}
	all := map[string][]byte{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(path)] = data
	}
	return all
}

func TestGrafanasTypesKnowEveryField(t *testing.T) {
	for name, data := range boards(t) {
		if wrong := strict(data); wrong != "" {
			t.Errorf("%s: %s", name, wrong)
		}
	}
}

// Otherwise the test above says nothing.
func TestAWrongFieldIsFound(t *testing.T) {
	for name, data := range boards(t) {
		for _, change := range [][2]string{
			{`"editable"`, `"editabel"`},    // the dashboard
			{`"gridPos"`, `"gridPosition"`}, // a panel
			{`"expr"`, `"expression"`},      // a query
			{`"min": 0`, `"min": "0"`},      // a type
			{`"schemaVersion": `, `"schemaVersion": "of 10", "x": `},
		} {
			wrong := bytes.ReplaceAll(data, []byte(change[0]), []byte(change[1]))
			if bytes.Equal(wrong, data) {
				t.Errorf("%s has no %s", name, change[0])
				continue
			}
			if strict(wrong) == "" {
				t.Errorf("%s: %s is not found", name, change[1])
			}
		}
	}
}
