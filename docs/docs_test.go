// Package docs holds the documentation, and tests that it is right where a test can tell.
package docs

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

const root = ".."

// pages are the Markdown files of the repository, by their path from the root.
func pages(t *testing.T) []string {
	t.Helper()
	list := files(t, func(path string) bool { return filepath.Ext(path) == ".md" })
	for _, page := range []string{"README.md", "DESIGN.md", "docs/README.md", "docs/adr/README.md", "actions-scripts/README.md", "detections/README.md"} {
		if !slices.Contains(list, page) {
			t.Fatalf("%s was not found among %d pages", page, len(list))
		}
	}
	return list
}

// files are those of the repository that are wanted, without what is built and recorded.
func files(t *testing.T, wanted func(path string) bool) (list []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (rel == ".git" || rel == "build" || d.Name() == "testdata"):
			return fs.SkipDir
		case d.Type().IsRegular() && wanted(rel):
			list = append(list, filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
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
	links, known := 0, map[string]map[string]bool{} // the headings of a file
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
			if anchor != "" && known[file] == nil {
				known[file] = anchors(read(t, file))
			}
			if anchor != "" && !known[file][anchor] {
				t.Errorf("%s: the link %s leads to no heading of %s", page, m[1], file)
			}
		}
	}
	if links < 50 {
		t.Errorf("only %d links were found: does the test still see them?", links)
	}
}

func TestEveryPageIsLinkedFromItsIndex(t *testing.T) {
	for _, dir := range []string{"docs", "docs/adr"} {
		index := read(t, dir+"/README.md")
		for _, page := range pages(t) {
			if name := filepath.Base(page); filepath.Dir(page) == dir && name != "README.md" && !strings.Contains(index, "]("+name+")") {
				t.Errorf("%s/README.md has no link to %s", dir, name)
			}
		}
	}
	if !strings.Contains(read(t, "README.md"), "](docs/README.md)") {
		t.Error("README.md has no link to docs/README.md")
	}
}

// The numbers of the index tell a reader, and the menu of a site, which page comes next.
func TestTheIndexIsNumberedInOrder(t *testing.T) {
	next := 1
	for _, m := range regexp.MustCompile(`(?m)^(\d+)\. \[`).FindAllStringSubmatch(read(t, "docs/README.md"), -1) {
		if m[1] != strconv.Itoa(next) {
			t.Errorf("docs/README.md: the entry after %d has the number %s", next-1, m[1])
		}
		next++
	}
	if next < 15 {
		t.Errorf("only %d entries were found: does the test still see them?", next-1)
	}
}

func TestReadmeAndDesignHaveAtMost150Lines(t *testing.T) {
	for _, page := range []string{"README.md", "DESIGN.md"} {
		if n := strings.Count(read(t, page), "\n"); n > 150 {
			t.Errorf("%s has %d lines: move a part to docs/", page, n)
		}
	}
}

// Comments, messages and configurations send readers to pages too.
func TestEveryPageThatAFileNamesExists(t *testing.T) {
	named := regexp.MustCompile(`(?:^|[^\w./-])(docs/[\w-]+\.(?:md|svg|png))\b`)
	kinds := map[string]bool{".go": true, ".md": true, ".yaml": true, ".yml": true, ".json": true, ".js": true, ".sh": true, ".txt": true, "": true}
	found := 0
	for _, file := range files(t, func(path string) bool { return kinds[filepath.Ext(path)] }) {
		text := read(t, file)
		if !strings.Contains(text, "docs/") {
			continue
		}
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			if m[1] == "docs/NAME.md" {
				continue
			}
			found++
			if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
				t.Errorf("%s names %s, which does not exist", file, m[1])
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d names were found: does the test still see them?", found)
	}
}

// The commands beside the figures: the package and the tests that they name exist.
func TestEveryGoTestCommandNamesAPackageAndATest(t *testing.T) {
	command := regexp.MustCompile("`[^`\n]*go test [^`\n]*`")
	patterns := regexp.MustCompile(`-(?:run|bench) ('[^']*'|\S+)`)
	packages := regexp.MustCompile(` (\.(?:/[\w-]+)+(?:/\.\.\.)?)`)
	found, known := 0, map[string][]string{} // the tests of a package
	for _, page := range pages(t) {
		for _, text := range command.FindAllString(read(t, page), -1) {
			text = strings.ReplaceAll(strings.Trim(text, "`"), `\|`, "|")
			var names []string
			for _, m := range packages.FindAllStringSubmatch(text, -1) {
				if known[m[1]] == nil {
					known[m[1]] = tests(t, m[1])
				}
				if len(known[m[1]]) == 0 {
					t.Errorf("%s: %s: %s has no tests", page, text, m[1])
				}
				names = append(names, known[m[1]]...)
			}
			for _, m := range patterns.FindAllStringSubmatch(text, -1) {
				for pattern := range strings.SplitSeq(strings.Trim(m[1], "'"), "|") {
					if pattern == "^$" || pattern == "." || names == nil {
						continue
					}
					found++
					if !slices.ContainsFunc(names, regexp.MustCompile(pattern).MatchString) {
						t.Errorf("%s: %s: no test or benchmark of that package matches %s", page, text, pattern)
					}
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d patterns were found: does the test still see them?", found)
	}
}

// tests are the names of the tests and benchmarks of a package, or with /... of those below.
func tests(t *testing.T, name string) (names []string) {
	t.Helper()
	dir, below := strings.CutSuffix(strings.TrimPrefix(name, "./"), "/...")
	for _, file := range files(t, func(path string) bool {
		in := filepath.Dir(path)
		return strings.HasSuffix(path, "_test.go") && (in == dir || below && strings.HasPrefix(in, dir+"/"))
	}) {
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Fuzz)\w+)\(`).FindAllStringSubmatch(read(t, file), -1) {
			names = append(names, m[1])
		}
	}
	return names
}

func TestEveryMakeTargetThatAPageNamesExists(t *testing.T) {
	makefile := read(t, "Makefile")
	for _, page := range pages(t) {
		for _, m := range regexp.MustCompile("(?m)(?:`|^)(?:[A-Z_]+=\\S+ )*make ([a-z-]+)").FindAllStringSubmatch(read(t, page), -1) {
			if !strings.Contains(makefile, "\n"+m[1]+":") {
				t.Errorf("%s names make %s, which does not exist", page, m[1])
			}
		}
	}
}

// make picture records it. Its last frame is the sum of a run.
func TestThePictureIsOfARunThatLostNothing(t *testing.T) {
	picture := read(t, "docs/demo.svg")
	if err := xml.Unmarshal([]byte(picture), new(any)); err != nil {
		t.Error(err)
	}
	if !regexp.MustCompile(`>in \d+s: [\d,]+ events and action records, [\d,]+ delivered, 0 lost, 0 repeated<`).MatchString(picture) {
		t.Error("docs/demo.svg does not end with a sum of 0 lost, 0 repeated: make picture")
	}
	if path := regexp.MustCompile(`>([^<]*[^\w/.:<])?/\w+/[^<]*<`).FindString(picture); path != "" {
		t.Errorf("docs/demo.svg shows a path of the machine: %s", path)
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
