package actionsscripts

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type budget struct {
	name  string
	bytes int
}

// budgets reads the table FIELDS of a script.
func budgets(t *testing.T, script string) (all []budget) {
	t.Helper()
	e := newEngine()
	if err := e.load(script); err != nil {
		t.Fatal(err)
	}
	var rows [][]any
	if err := e.vm.ExportTo(e.vm.Get("FIELDS"), &rows); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		all = append(all, budget{row[0].(string), int(row[1].(int64))})
	}
	return all
}

// The worst case is computed from the table, and is what the comment in the scripts says.
func TestWorstCaseIsBelowTheLimit(t *testing.T) {
	size := len(`{"post_auth_log":1,"outcome":"success"`) + len(`,"cut":[]`) + len(`}`) - 1 // one comma less than names
	size += len("_start")
	names := []string{"post_auth_log", "outcome"}
	for _, b := range budgets(t, PostAuthLog) {
		size += len(`,"":""`) + len(b.name) + b.bytes + len(`"",`) + len(b.name)
		names = append(names, b.name)
		if b.bytes < len(`\u0000`) {
			t.Errorf("%s could be cut to nothing", b.name)
		}
	}
	if diff := cmp.Diff(keys, append(names, "cut")); diff != "" {
		t.Error(diff)
	}
	if size != 1989 || !strings.Contains(PostAuthLog, "//  "+strconv.Itoa(size)+"  bytes at most\n") {
		t.Errorf("%d bytes at most, and the comment in the script says otherwise", size)
	}
	if size >= 2000 {
		t.Errorf("ZITADEL cuts a message of %d bytes", size)
	}
}

// Every budget filled to its last byte.
func TestWorstCaseMessage(t *testing.T) {
	e := newEngine()
	l := everywhere(strings.Repeat("x", 5000))
	l.HttpRequest.Headers["X-Forwarded-For"] = []string{strings.Repeat(",", 5000)} // an entry that was cut leaves bytes free
	if err := e.run(PostAuthLog, "post_auth_log", e.context(l)); err != nil {
		t.Fatal(err)
	}
	e.message(t)
	const noAuthTime = len(`,"auth_time":""`) + 40 + len(`,"auth_time"`)
	if got := len(e.printer.lines[0]); got != 1989-noAuthTime {
		t.Errorf("%d bytes, want %d", got, 1989-noAuthTime)
	}
}

// ZITADEL takes 40,000 bytes, and its documentation says 10,000 characters.
func TestScriptsFitIntoZITADEL(t *testing.T) {
	for name, script := range map[string]string{"post_auth_log": PostAuthLog, "post_auth_webhook": PostAuthWebhook} {
		if len(script) > 10_000 {
			t.Errorf("%s has %d bytes", name, len(script))
		}
		if strings.Count(script, "\nfunction "+name+"(ctx, api) {\n") != 1 {
			t.Errorf("no function %s", name)
		}
		// Nothing may be loaded or read outside of the functions: it could throw there.
		e := newEngine()
		e.modules = nil
		if err := e.load(script); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

var tableRow = regexp.MustCompile("(?m)^\\| `(\\w+)` \\|[^|]*\\|[^|]*\\| (\\d+|-) \\|$")

// The table in README.md has the fields and budgets of the scripts.
func TestReadmeTable(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	var documented []budget
	for _, row := range tableRow.FindAllStringSubmatch(string(readme), -1) {
		names = append(names, row[1])
		if bytes, err := strconv.Atoi(row[2]); err == nil {
			documented = append(documented, budget{row[1], bytes})
		}
	}
	if diff := cmp.Diff(keys, names); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(budgets(t, PostAuthWebhook), documented, cmp.AllowUnexported(budget{})); diff != "" {
		t.Error(diff)
	}
}
