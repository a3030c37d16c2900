package format

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// openWith opens a format with the schema_file at path.
func openWith(t *testing.T, path string) *Format {
	t.Helper()
	f, err := Open(config.FormatSettings{Format: "ecs", Tier: "useful", SchemaFile: path})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestTable_IsSharedUntilTheFileChanges(t *testing.T) {
	if openWith(t, "").table != openWith(t, "").table {
		t.Error("two sources without a schema_file have a table each")
	}
	path := filepath.Join(t.TempDir(), "my.yaml")
	write := func(severity string) {
		if err := os.WriteFile(path, []byte("events: {user.locked: {severity: "+severity+"}}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("high")
	first := openWith(t, path)
	if first.table != openWith(t, path).table {
		t.Error("two sources with one schema_file have a table each")
	}
	write("critical")
	second := openWith(t, path)
	before, _ := first.table.Row("user.locked")
	after, _ := second.table.Row("user.locked")
	if before.Severity == after.Severity {
		t.Error("the changed file was not read")
	}
}
