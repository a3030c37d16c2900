// Command notice writes NOTICE: the licences of all modules that are linked into what
// is shipped, with their texts. It runs in the root of the repository, and fails if a
// module has no licence that it knows, or one that is not on its list.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	classifier "github.com/google/licenseclassifier/v2"
	"github.com/google/licenseclassifier/v2/assets"
)

// allowed are licences that only ask for their text to be passed on.
var allowed = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"}

// shipped is what a release contains. The packages differ between systems.
var shipped = []struct{ system, cgo, path string }{
	{"linux", "0", "./cmd/zitadel-siem"},
	{"darwin", "0", "./cmd/zitadel-siem"},
	{"windows", "0", "./cmd/zitadel-siem"},
	{"linux", "1", "./plugin/in_zitadel"},
	{"linux", "1", "./plugin/out_zitadel"},
}

func main() {
	tags := flag.String("tags", "", "build tags of build.sh")
	out := flag.String("o", "NOTICE", "file to write")
	flag.Parse()
	if err := run(*tags, *out); err != nil {
		fmt.Fprintln(os.Stderr, "notice:", err)
		os.Exit(1)
	}
}

func run(tags, out string) error {
	modules, err := linked(tags)
	if err != nil {
		return err
	}
	licences, err := assets.DefaultClassifier()
	if err != nil {
		return err
	}
	var problems []error
	for _, m := range modules {
		problems = append(problems, m.read(licences))
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	var notice bytes.Buffer
	write(&notice, modules)
	return os.WriteFile(out, notice.Bytes(), 0o644)
}

// A module is one that is linked, or Go's own library.
type module struct {
	name, version, dir string
	folders            []string // of its linked packages
	licences           []string
	texts              []text
}

type text struct{ file, body string }

func linked(tags string) ([]*module, error) {
	byName := map[string]*module{}
	for _, s := range shipped {
		cmd := exec.Command("go", "list", "-deps", "-tags", tags, "-json=Dir,Standard,Module", s.path)
		cmd.Env = append(os.Environ(), "GOOS="+s.system, "GOARCH=amd64", "CGO_ENABLED="+s.cgo)
		cmd.Stderr = os.Stderr
		list, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list %s: %w", s.path, err)
		}
		for packages := json.NewDecoder(bytes.NewReader(list)); ; {
			var p struct {
				Dir      string
				Standard bool
				Module   *struct {
					Path, Version, Dir string
					Main               bool
				}
			}
			if err := packages.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, err
			}
			if p.Standard || p.Module == nil || p.Module.Main {
				continue
			}
			m := byName[p.Module.Path]
			if m == nil {
				m = &module{name: p.Module.Path, version: p.Module.Version, dir: p.Module.Dir}
				byName[m.name] = m
			}
			m.folders = append(m.folders, p.Dir)
		}
	}
	var all []*module
	for _, m := range byName {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b *module) int { return cmp.Compare(a.name, b.name) })
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	library := &module{name: "Go's standard library", version: "-", dir: strings.TrimSpace(string(root))}
	return append([]*module{library}, all...), nil
}

var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents|unlicense)([-.].*)?$`)

// read finds the licences of a module: files in its root, and in the folders from there
// to the linked packages, where code of others may have its own.
func (m *module) read(licences *classifier.Classifier) error {
	folders := []string{m.dir}
	for _, f := range m.folders {
		for ; len(f) > len(m.dir); f = filepath.Dir(f) {
			folders = append(folders, f)
		}
	}
	slices.Sort(folders)
	for _, folder := range slices.Compact(folders) {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if !e.Type().IsRegular() || !licenceFile.MatchString(e.Name()) || strings.HasSuffix(e.Name(), ".go") {
				continue
			}
			body, err := os.ReadFile(filepath.Join(folder, e.Name()))
			if err != nil {
				return err
			}
			file, err := filepath.Rel(m.dir, filepath.Join(folder, e.Name()))
			if err != nil {
				return err
			}
			m.texts = append(m.texts, text{file, normal(body)})
			var names []string
			for _, match := range licences.Match(body).Matches {
				if match.MatchType == "License" || match.MatchType == "Header" {
					names = append(names, match.Name)
				}
			}
			// NOTICE and PATENTS belong to a licence, and are none.
			if upper := strings.ToUpper(e.Name()); len(names) == 0 && !strings.HasPrefix(upper, "NOTICE") && !strings.HasPrefix(upper, "PATENTS") {
				return fmt.Errorf("%s: the classifier does not know the licence in %s: do without the module", m.name, file)
			}
			m.licences = append(m.licences, names...)
		}
	}
	slices.Sort(m.licences)
	m.licences = slices.Compact(m.licences)
	if len(m.licences) == 0 {
		return fmt.Errorf("%s: no licence in %s: do without the module", m.name, m.dir)
	}
	for _, name := range m.licences {
		if !slices.Contains(allowed, name) {
			return fmt.Errorf("%s: its licence %s is not allowed (%s): do without the module", m.name, name, strings.Join(allowed, ", "))
		}
	}
	return nil
}

// normal ends lines with LF and the text with one.
func normal(body []byte) string {
	return strings.Trim(strings.ReplaceAll(string(body), "\r\n", "\n"), "\n") + "\n"
}

const head = `zitadel-siem

This product is licensed under the Apache License, version 2.0 (see LICENSE). The
plugins and the program zitadel-siem contain the modules of others that this table
lists. The texts of their licences follow. "make notice" writes this file.

`

func write(w io.Writer, modules []*module) {
	fmt.Fprint(w, head)
	for _, m := range modules {
		fmt.Fprintf(w, "%s %s: %s\n", m.name, m.version, strings.Join(m.licences, ", "))
	}
	// A text that many modules have stands once.
	var order []string
	who := map[string][]string{}
	for _, m := range modules {
		for _, t := range m.texts {
			if who[t.body] == nil {
				order = append(order, t.body)
			}
			who[t.body] = append(who[t.body], m.name+" "+filepath.ToSlash(t.file))
		}
	}
	for _, body := range order {
		fmt.Fprintf(w, "\n%s\n%s\n\n%s", strings.Repeat("=", 80), strings.Join(who[body], "\n"), body)
	}
}
