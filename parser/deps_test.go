package parser_test

import (
	"os/exec"
	"strings"
	"testing"
)

// The parser is small enough for other programs to import: it needs neither protobuf nor
// ZITADEL's client.
func TestParserNeedsNoProtobuf(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	for _, unwanted := range []string{"google.golang.org/", "github.com/zitadel/", "/internal/record"} {
		if strings.Contains(string(out), unwanted) {
			t.Errorf("the parser depends on %s", unwanted)
		}
	}
	if !strings.Contains(string(out), "/internal/redact") {
		t.Errorf("the list of packages is not what it should be:\n%s", out)
	}
}
