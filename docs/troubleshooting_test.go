package docs

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// silent says why no user meets the messages of a directory and of those below.
func silent(dir string) string {
	for d, why := range map[string]string{
		"actions-scripts":              "a generator of the developers",
		"conf":                         "test programs",
		"dashboards":                   "a generator of the developers",
		"deploy":                       "test programs",
		"detections":                   "embedded rules, and a generator of their page",
		"internal/calls/gen":           "a generator of the developers",
		"internal/chaos":               "a test",
		"internal/forward/forwardtest": "a test server",
		"internal/leaktest":            "tests",
		"internal/pseudonym/gen":       "a generator of the developers",
		"internal/redact/payload/gen":  "a generator of the developers",
		"internal/schema/gen":          "a generator of the developers",
		"internal/cluster/clustertest": "tests",
		"internal/testkit":             "tests",
		"internal/zitadeltest":         "a test server",
		"packaging":                    "test programs",
		"plugin/plugintest":            "a test host",
		"tools":                        "tools of the developers",
	} {
		if dir == d || strings.HasPrefix(dir, d+"/") {
			return why
		}
	}
	return ""
}

// internals are messages that nobody is shown alone, each with the reason. A key that ends
// with .go is a file: all that it has.
var internals = map[string]string{
	"usage":        "decides the exit status, is not printed",
	"reported":     "decides the exit status, is not printed",
	"check failed": "decides the exit status, is not printed",

	"internal/calls/methods.go":  "about an embedded table, which a test reads",
	"internal/schema/explain.go": "about the built-in examples, which a test encodes",
	"internal/schema/table.go":   "about a generated table, which a test reads",
	"internal/cursor/runs.go":    "a part of what stands between \"cannot be used\" and its fix",
	"internal/cursor/sweep.go":   "a part of what stands between \"cannot be used\" and its fix",
	"internal/cursor/state.go":   "a part of what stands between \"cannot be used\" and its fix",
	"internal/enrich/code.go":    "a part of what stands before \"the file is damaged\" and its fix",

	"bytes ... to ...: ...":                                                "stands before \"the file is damaged\" and its fix",
	"it does not begin as a file of names does: ...":                       "stands before \"the file is damaged\" and its fix",
	"it is of instance ..., this source is ...: ...":                       "stands before \"the file belongs to another instance\" and its fix",
	"... bytes of memory are out of range, give ... (1 MiB) to 4294967295": "the option's bounds are checked before",
	"... entries do not fit ... bytes, give 16 to ...":                     "the option's bounds are checked before",
	"spool ...: ... bytes are too few, give at least ...":                  "the option's bounds are checked before",
	"url ...: want a port from 1 to 65535: ...":                            "the option is checked before",
	"endpoint: is not a URL":                                               "stands before the example",
	"no JSON object":                                                       "a line that is no record of ECS is counted",
	"not a record":                                                         "the caller counts it",
	"yaml: cannot be read: ...":                                            "stands behind \"the file is not valid YAML\"",
	"damaged":                                                              "stands before the fix of the spool",
	"... (it says ...)":                                                    "the error before it has a row",
	"... (zitadel-siem-demo --help)":                                       "the error of the command line stands before it",
	"no keys":                                                              "stands behind \"the keys of the instance cannot be fetched\"",

	"another reader has it":                                                "callers add the fix",
	"the input is stopped":                                                 "ends a loop, is not logged",
	"the spool is closed":                                                  "ends a loop, is not logged",
	"the source is replaced":                                               "the cause of a context, which nobody logs",
	"the spool is not open yet":                                            "counted as refused for the reason not_spooled",
	"the spool is full":                                                    "counted as refused for the reason not_spooled",
	"the disk of the spool does not keep up":                               "counted as refused for the reason not_spooled",
	"the entry is too large for the spool":                                 "counted as refused for the reason not_spooled",
	"...: ... bytes, and at most ...":                                      "counted as refused for the reason not_spooled",
	"...: ... of ... bytes are in use":                                     "counted as refused for the reason not_spooled",
	"spool: an entry is empty":                                             "a guard against our own code",
	"spool: entry ... cannot be done, the last one is ...":                 "a guard against our own code",
	"this reader has lost its place: make a new one from the stored state": "a guard against our own code",
	"forward: closed":                                                      "ends a loop, is not logged",
	"the host is still taking a chunk":                                     "stands behind \"stopping takes too long\"",
	"the token cannot be verified":                                         "counted as refused for the reason bad_token",
	"the keys of the instance cannot be fetched":                           "counted as refused for the reason no_key_set",
	"the request has no JSON form: ...":                                    "a guard against our own code",
}

// shapes are the rows about many messages of one form. Each of these messages says itself what
// to do: the call has an argument for that, or the text names it. One that does neither needs
// a row of its own.
var shapes = map[string][]string{
	"OPTION: \"VALUE\" ...; ...":         {"internal/config.fail", "internal/config.warn", "internal/config.valueError"},
	"--config FILE: line N: ...":         {"internal/config.f.fail"},
	"FAIL  NAME  ...":                    {"internal/check.say", "internal/setup/scripts.note", "internal/setup/scripts.Finding"},
	"FILE:LINE: error: ...; fix: ...":    {"internal/flbconf.Finding", "internal/flbconf.find", "internal/flbconf.add", "internal/flbconf.refuse", "internal/flbconf.fail"},
	"schema_file: ...: line N: ...":      {"internal/schema.fail", "internal/schema.fmt.Errorf"},
	"rules in DIRECTORY: FILE:LINE: ...": {"internal/detect.fail", "internal/detect.fmt.Errorf"},
}

// doable finds the words with which a text says what to do.
var doable = regexp.MustCompile(`\b(use|write|give|remove|add|name a|put|change|make|create|choose|must|needs|such as|did you mean)\b`)

// exampled are calls without a fix to which the caller adds the example of the option. Each
// option has one: TestEveryOptionIsDocumentedAndItsDefaultAndBoundsParse.
const exampled = "internal/config.valueError"

// shapeOf is the row that covers a message together with others; "" if it needs one of its own.
func shapeOf(m message) string {
	call := path.Dir(m.file) + "." + m.call
	for row, calls := range shapes {
		if slices.Contains(calls, call) && (m.fix || call == exampled || doable.MatchString(m.text)) {
			return row
		}
	}
	return ""
}

var (
	words = regexp.MustCompile(`[A-Za-z]{2,}`)
	// negative words tell what is wrong: such a text is more than a name.
	negative = regexp.MustCompile(`\b(not|no|cannot|stopped|panic|failed)\b|[,;]|\.$`)
)

// passesOn reports whether a text has no words of its own, or only the name of what the
// error behind it is about: that error has the row.
func passesOn(text string) bool {
	name, isName := strings.CutSuffix(text, "...")
	name = strings.TrimRight(name, ": ")
	n := len(words.FindAllString(text, -1))
	return n == 0 || isName && n <= 3 && !negative.MatchString(strings.ReplaceAll(name, "...", ""))
}

// needsRow reports whether docs/troubleshooting.md has to explain a message by itself.
func needsRow(m message) bool {
	return !passesOn(m.text) && shapeOf(m) == "" && internals[m.text] == "" && internals[m.file] == ""
}

// A row is a line of a table: the messages that its first cell quotes, and the line.
type row struct {
	quotes []string
	line   int
}

// rows are those about our own messages. They end at the heading about messages of others.
func rows(t *testing.T) (list []row) {
	t.Helper()
	text, _, ok := strings.Cut(read(t, "docs/troubleshooting.md"), "\n## Messages of others")
	if !ok {
		t.Fatal("docs/troubleshooting.md has no section \"Messages of others\"")
	}
	for i, line := range strings.Split(text, "\n") {
		if cells := cells(line); len(cells) > 0 && strings.HasPrefix(cells[0], "`") {
			if len(cells) != 3 || cells[1] == "" || cells[2] == "" {
				t.Errorf("docs/troubleshooting.md:%d: a row has a message, a cause and a fix: %s", i+1, line)
			}
			list = append(list, row{quotes(cells[0]), i + 1})
		}
	}
	return list
}

// cells are the cells of a line of a table.
func cells(line string) (list []string) {
	line, ok := strings.CutPrefix(strings.TrimSpace(line), "|")
	if !ok {
		return nil
	}
	line = strings.ReplaceAll(strings.TrimSuffix(line, "|"), `\|`, "\x00")
	for cell := range strings.SplitSeq(line, "|") {
		list = append(list, strings.ReplaceAll(strings.TrimSpace(cell), "\x00", "|"))
	}
	return list
}

var spans = regexp.MustCompile("`` (.*?) ``|`([^`]+)`")

// quotes are the texts in code style. One that holds a backtick stands between two of them.
func quotes(cell string) (list []string) {
	for _, m := range spans.FindAllStringSubmatch(cell, -1) {
		list = append(list, m[1]+m[2])
	}
	return list
}

// says reports whether a quote is of this text: each "..." may be any part of it.
func says(quote, text string) bool {
	parts := strings.Split(quote, "...")
	text, ok := strings.CutPrefix(text, parts[0])
	if len(parts) == 1 {
		return ok && text == ""
	}
	for _, part := range parts[1 : len(parts)-1] {
		_, rest, found := strings.Cut(text, part)
		text, ok = rest, ok && found
	}
	return ok && strings.HasSuffix(text, parts[len(parts)-1])
}

// A user who meets a message searches the page for it, and finds cause and fix.
func TestTroubleshootingHasARowForEachMessage(t *testing.T) {
	list, all := rows(t), messages(t)
	shown := 0
	for _, m := range all {
		if !needsRow(m) {
			continue
		}
		shown++
		if !slices.ContainsFunc(list, func(r row) bool {
			return slices.ContainsFunc(r.quotes, func(q string) bool { return says(q, m.text) })
		}) {
			t.Errorf("docs/troubleshooting.md has no row for a message of %s:%d. Add one, and write cause and fix in it:\n| %s | cause | fix |", m.file, m.line, quote(m.text))
		}
	}
	if shown < 200 || len(all) < 600 {
		t.Errorf("only %d messages were found, %d of them need a row: does the test still see them?", len(all), shown)
	}
}

func quote(text string) string {
	text = strings.ReplaceAll(text, "|", `\|`)
	if strings.Contains(text, "`") {
		return "`` " + text + " ``"
	}
	return "`" + text + "`"
}

func TestEachRowOfTroubleshootingIsAboutAMessage(t *testing.T) {
	all := messages(t)
	seen := map[string]int{}
	for _, r := range rows(t) {
		for _, q := range r.quotes {
			if _, ok := shapes[q]; ok {
				seen[q]++
				continue
			}
			if n := len(strings.Join(words.FindAllString(q, -1), "")); n < 7 {
				t.Errorf("docs/troubleshooting.md:%d: %q could be about any message: quote more of it", r.line, q)
			}
			if !slices.ContainsFunc(all, func(m message) bool { return says(q, m.text) }) {
				t.Errorf("docs/troubleshooting.md:%d: no message in the code is %q: quote its constant parts exactly, with ... for the rest, or remove the row", r.line, q)
			}
			if seen[q]++; seen[q] > 1 {
				t.Errorf("docs/troubleshooting.md:%d: %q has a row already", r.line, q)
			}
		}
	}
	for form := range shapes {
		if seen[form] != 1 {
			t.Errorf("docs/troubleshooting.md needs one row for the form %q, and has %d", form, seen[form])
		}
	}
}

// The lists of this test do not outlive what they are about.
func TestTheListsOfMessagesAreUpToDate(t *testing.T) {
	all := messages(t)
	for text := range internals {
		if !slices.ContainsFunc(all, func(m message) bool { return m.text == text || m.file == text }) {
			t.Errorf("internals: %q is no message and no file with one", text)
		}
	}
	calls := map[string]bool{}
	for name := range speakers {
		calls[name] = true
	}
	for _, list := range shapes {
		for _, name := range list {
			calls[name] = true
		}
	}
	for _, field := range fields {
		calls[field] = true
	}
	for _, m := range all {
		delete(calls, path.Dir(m.file)+"."+m.call)
	}
	for name := range calls {
		t.Errorf("no call of %s was found: it was renamed or removed", name)
	}
}

func TestTroubleshootingHasEachReasonForWhichWebhooksAreRefused(t *testing.T) {
	_, list, _ := strings.Cut(read(t, "internal/webhook/stats.go"), "var reasonNames = ")
	list, _, _ = strings.Cut(list, "}\n")
	names := regexp.MustCompile(`"(\w+)"`).FindAllStringSubmatch(list, -1)
	if len(names) < 15 {
		t.Fatalf("only %d reasons were found: does the test still see them?", len(names))
	}
	page := read(t, "docs/troubleshooting.md")
	for _, name := range names {
		if !strings.Contains(page, "| "+name[1]+" |") && !strings.Contains(page, ", "+name[1]+" |") && !strings.Contains(page, "| "+name[1]+", ") && !strings.Contains(page, ", "+name[1]+", ") {
			t.Errorf("docs/troubleshooting.md has no row for the reason %s of refused webhooks", name[1])
		}
	}
}

// carriers are the files that hand a logger a text that they were given, with its origin.
var carriers = map[string]string{
	"cmd/zitadel-siem/flags.go":         "warnings about options",
	"cmd/zitadel-siem/pull.go":          "warnings about options",
	"cmd/zitadel-siem/pull_reload.go":   "warnings about options",
	"cmd/zitadel-siem/setup_scripts.go": "the warning of ReadKey",
	"cmd/zitadel-siem/state.go":         "warnings about options",
	"internal/hostlog/hostlog.go":       "the error of a start",
	"internal/input/input.go":           "warnings about options; the reason of Refuse",
	"internal/output/open.go":           "warnings about options",
	"internal/pipe/run.go":              "a panic, with its stack",
}

// A text that reaches a logger in a variable would escape these tests, unless its origin is
// one of the speakers.
func TestEachTextThatALoggerIsGivenInAVariableHasAKnownOrigin(t *testing.T) {
	found := map[string]bool{}
	for _, m := range messages(t) {
		if words.MatchString(m.text) || !slices.Contains([]string{"Warn", "Error", "errors.New", "http.Error"}, m.call) {
			continue
		}
		if found[m.file] = true; carriers[m.file] == "" {
			t.Errorf("%s:%d: %s is given a text in a variable: make the function where it comes from a speaker, and add the file to carriers", m.file, m.line, m.call)
		}
	}
	for file := range carriers {
		if !found[file] {
			t.Errorf("carriers: %s has no such text", file)
		}
	}
}
