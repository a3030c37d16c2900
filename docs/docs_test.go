// Package docs holds the documentation, and tests that it is right where a test can tell.
package docs

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

const root = ".."

// pages are the Markdown files that users read, by their path from the root.
func pages(t *testing.T) []string {
	t.Helper()
	list := []string{"README.md", "DESIGN.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "actions-scripts/README.md"}
	for _, pattern := range []string{"docs/*.md", "docs/adr/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: no file, %v", pattern, err)
		}
		for _, path := range found {
			rel, err := filepath.Rel(root, path)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, rel)
		}
	}
	return list
}

func read(t *testing.T, page string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var (
	fence   = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	code    = regexp.MustCompile("`[^`\n]*`")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	target  = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

// anchors are the names that GitHub gives to the headings of a page.
func anchors(text string) map[string]bool {
	names := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		var b strings.Builder
		for _, r := range strings.ToLower(target.ReplaceAllString(m[1], "$1")) {
			switch {
			case r == ' ':
				b.WriteByte('-')
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				b.WriteRune(r)
			}
		}
		name := b.String()
		for n := 1; names[name]; n++ {
			name = b.String() + "-" + strconv.Itoa(n)
		}
		names[name] = true
	}
	return names
}

func TestEveryRelativeLinkLeadsToAFileAndAHeading(t *testing.T) {
	links := 0
	for _, page := range pages(t) {
		text := code.ReplaceAllString(fence.ReplaceAllString(read(t, page), ""), "`code`")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			links++
			path, anchor, _ := strings.Cut(m[1], "#")
			file := page
			if path != "" {
				file = filepath.Join(filepath.Dir(page), path)
			}
			if strings.HasPrefix(file, "..") {
				t.Errorf("%s: the link %s leads out of the repository", page, m[1])
				continue
			}
			if _, err := os.Stat(filepath.Join(root, file)); err != nil {
				t.Errorf("%s: the link %s leads to no file", page, m[1])
				continue
			}
			if anchor != "" && !anchors(read(t, file))[anchor] {
				t.Errorf("%s: the link %s leads to no heading of %s", page, m[1], file)
			}
		}
	}
	if links < 50 {
		t.Errorf("only %d links were found: does the test still see them?", links)
	}
}

func TestEveryPageIsLinkedFromReadme(t *testing.T) {
	readme := read(t, "README.md")
	for _, page := range pages(t) {
		if filepath.Dir(page) == "docs" && !strings.Contains(readme, "]("+page+")") {
			t.Errorf("README.md has no link to %s", page)
		}
	}
	index := read(t, "docs/adr/README.md")
	for _, page := range pages(t) {
		if name := filepath.Base(page); filepath.Dir(page) == "docs/adr" && name != "README.md" && !strings.Contains(index, "]("+name+")") {
			t.Errorf("docs/adr/README.md has no link to %s", name)
		}
	}
}

func TestReadmeHasAtMost150Lines(t *testing.T) {
	if n := strings.Count(read(t, "README.md"), "\n"); n > 150 {
		t.Errorf("README.md has %d lines: move a part to docs/", n)
	}
}

func TestTheRecordInReadmeIsOneThatTheEncoderWrote(t *testing.T) {
	_, text, _ := strings.Cut(read(t, "README.md"), "```json\n")
	text, _, ok := strings.Cut(text, "```")
	var record bytes.Buffer
	if err := json.Compact(&record, []byte(text)); err != nil || !ok {
		t.Fatal(err)
	}
	if !strings.Contains(read(t, "internal/record/testdata/golden.jsonl"), record.String()+"\n") {
		t.Errorf("%s is not in internal/record/testdata/golden.jsonl", record.Bytes())
	}
}

// A user searches the page for the message that the log shows.
func TestTroubleshootingQuotesMessagesThatTheCodeHas(t *testing.T) {
	sources := goSources(t)
	text, _, ok := strings.Cut(read(t, "docs/troubleshooting.md"), "## Messages of Fluent Bit")
	if !ok {
		t.Fatal("docs/troubleshooting.md has no section for the messages of Fluent Bit")
	}
	messages := 0
	for line := range strings.Lines(text) {
		cell, ok := strings.CutPrefix(line, "| `")
		message, _, closed := strings.Cut(cell, "`")
		if !ok || !closed {
			continue
		}
		messages++
		for _, part := range strings.Split(message, "...") {
			part = strings.TrimSpace(part)
			part = strings.TrimPrefix(part, "0 of N ")     // numbers
			part = strings.TrimSuffix(part, " within 10s") // a value
			if part = strings.Trim(part, ": "); part != "" && !strings.Contains(sources, part) {
				t.Errorf("docs/troubleshooting.md quotes %q: no message in the code has %q", message, part)
			}
		}
	}
	if messages < 20 {
		t.Errorf("only %d messages were found: does the test still see them?", messages)
	}
}

// goSources is the text of all Go files that are no tests, without backticks:
// a message that is quoted in code style cannot repeat them.
func goSources(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := os.ReadFile(path)
		b.WriteString(strings.ReplaceAll(string(data), "`", ""))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
