package docs

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var (
	quoted   = regexp.MustCompile("`([A-Za-z0-9_./*-]+)`")
	fileName = regexp.MustCompile(`\.(go|js|md|mod|sh|txt|yaml|yml)$`)
	section  = regexp.MustCompile(`(?m)^## `)
)

// Whoever adds something has to find the files. A name without a directory is a file in
// one of the directories that its section names; NAME stands for any name.
func TestEveryPathInContributingExists(t *testing.T) {
	paths := 0
	for _, text := range section.Split(fence.ReplaceAllString(read(t, "CONTRIBUTING.md"), ""), -1) {
		title, _, _ := strings.Cut(text, "\n")
		var names, folders []string
		for _, m := range quoted.FindAllStringSubmatch(text, -1) {
			name := strings.TrimSuffix(m[1], "/")
			if name == "testing/synctest" { // of Go's library
				continue
			}
			if !strings.Contains(name, "/") && !fileName.MatchString(name) || strings.HasPrefix(name, "-") {
				// A package at the root, or no path.
				if info, err := os.Stat(filepath.Join(root, name)); err != nil || !info.IsDir() {
					continue
				}
			}
			names = append(names, name)
			folders = append(folders, name, path.Dir(name))
		}
		paths += len(names)
		for _, name := range names {
			candidates := []string{name}
			if !strings.Contains(name, "/") {
				for _, folder := range folders {
					candidates = append(candidates, path.Join(folder, name))
				}
			}
			if !anyExists(t, candidates) {
				t.Errorf("CONTRIBUTING.md, %q: %s does not exist", title, name)
			}
		}
	}
	if paths < 40 {
		t.Errorf("only %d paths were found: does the test still see them?", paths)
	}
}

func anyExists(t *testing.T, names []string) bool {
	t.Helper()
	for _, name := range names {
		found, err := filepath.Glob(filepath.Join(root, strings.ReplaceAll(name, "NAME", "*")))
		if err != nil {
			t.Fatal(err)
		}
		if len(found) > 0 {
			return true
		}
	}
	return false
}

func TestDependabotSeesEveryModule(t *testing.T) {
	var config struct {
		Updates []struct {
			Ecosystem   string `yaml:"package-ecosystem"`
			Directories []string
			Ignore      []struct {
				Name string `yaml:"dependency-name"`
			}
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, ".github/dependabot.yml")), &config); err != nil {
		t.Fatal(err)
	}
	var seen, pinned []string
	for _, u := range config.Updates {
		if u.Ecosystem == "gomod" {
			seen = append(seen, u.Directories...)
			for _, i := range u.Ignore {
				pinned = append(pinned, i.Name)
			}
		}
	}
	modules := 0
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == ".git" || file == filepath.Join(root, "build")) {
			return fs.SkipDir
		}
		if d.Name() != "go.mod" {
			return nil
		}
		modules++
		rel, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		name := path.Join("/", filepath.ToSlash(rel))
		for _, pattern := range seen {
			if ok, err := path.Match(pattern, name); ok || err != nil {
				return err
			}
		}
		t.Errorf("add %s to the directories of .github/dependabot.yml", name)
		return nil
	})
	if err != nil || modules < 4 {
		t.Fatalf("%d modules, %v", modules, err)
	}
	mod := read(t, "go.mod")
	for _, name := range pinned {
		if !strings.Contains(mod, "\t"+name+" v") {
			t.Errorf(".github/dependabot.yml keeps %s, which go.mod does not require", name)
		}
	}
	if len(pinned) != 3 {
		t.Errorf("pinned: %v", pinned)
	}
}

// A report without the output of check, or with a secret in it, helps nobody.
func TestIssueTemplatesAskForCheckAndForNoSecrets(t *testing.T) {
	templates, err := filepath.Glob(filepath.Join(root, ".github/ISSUE_TEMPLATE/*.yml"))
	if err != nil || len(templates) < 4 {
		t.Fatalf("%v, %v", templates, err)
	}
	for _, name := range templates {
		if filepath.Base(name) == "config.yml" {
			continue
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			t.Fatal(err)
		}
		var form struct {
			Name, Description string
			Body              []struct{ Type string }
		}
		text := read(t, rel)
		if err := yaml.Unmarshal([]byte(text), &form); err != nil || form.Name == "" || form.Description == "" || len(form.Body) < 3 {
			t.Errorf("%s: %v, %d fields", rel, err, len(form.Body))
		}
		if !strings.Contains(text, "zitadel-siem check") {
			t.Errorf("%s does not ask for the output of zitadel-siem check", rel)
		}
		if !regexp.MustCompile(`No tokens, keys|personal data`).MatchString(text) {
			t.Errorf("%s does not say what does not belong in it", rel)
		}
	}
}

// An image that deploy/ names must be one that a release pushes.
func TestReleasePushesTheTagsThatDeployNames(t *testing.T) {
	workflow := read(t, ".github/workflows/release.yml")
	for _, pushed := range []string{`"docker://$image:$GITHUB_REF_NAME"`, `"docker://$image:latest"`} {
		if !strings.Contains(workflow, pushed) {
			t.Errorf("release.yml does not push %s", pushed)
		}
	}
	tagOfRelease := regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+$`) // as git's, see on.push.tags
	tag := regexp.MustCompile(`(?m)ghcr\.io/zitadel-siem/zitadel-siem[a-z-]*:([^\s"]+)|^ *(?:newTag|appVersion): (\S+)`)
	found := 0
	for _, file := range files(t, func(path string) bool {
		return strings.HasPrefix(path, "deploy/") && !strings.HasPrefix(path, "deploy/test/")
	}) {
		for _, m := range tag.FindAllStringSubmatch(read(t, file), -1) {
			found++
			if name := m[1] + m[2]; !tagOfRelease.MatchString(name) {
				t.Errorf("%s names the tag %s, which no release pushes", file, name)
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d tags were found", found)
	}
}

// make without a target prints the list. A line must fit on a terminal.
func TestMakeListsEveryTargetOnOneLine(t *testing.T) {
	makefile := read(t, "Makefile")
	texts := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z-]+):.*?## (.+)$`).FindAllStringSubmatch(makefile, -1) {
		texts[m[1]] = m[2]
	}
	phony := regexp.MustCompile(`(?m)^\.PHONY: (.+)$`).FindStringSubmatch(makefile)
	if phony == nil {
		t.Fatal("the Makefile has no .PHONY")
	}
	targets := strings.Fields(phony[1])
	for _, target := range targets {
		switch text := texts[target]; {
		case target == "fmt-check": // a part of others
		case text == "":
			t.Errorf("make %s has no text behind ##", target)
		case len(text) > 82 || len(target) > 13:
			t.Errorf("make %s: %q is too long for the list", target, text)
		}
		delete(texts, target)
	}
	if len(targets) < 20 || len(texts) > 0 {
		t.Errorf("%d targets in .PHONY, without %v", len(targets), texts)
	}
}

// Whoever looks for the place of a change begins with the table of packages.
func TestDesignNamesEveryPackage(t *testing.T) {
	design := read(t, "DESIGN.md")
	// They serve tests and the demo.
	helpers := []string{"internal/demo", "internal/images", "internal/testkit", "internal/version"}
	packages, err := filepath.Glob(filepath.Join(root, "internal/*"))
	if err != nil || len(packages) < 30 {
		t.Fatalf("%d packages, %v", len(packages), err)
	}
	for _, dir := range packages {
		if name := "internal/" + filepath.Base(dir); !slices.Contains(helpers, name) && !strings.Contains(design, "`"+name+"`") {
			t.Errorf("DESIGN.md does not name %s", name)
		}
	}
}
