package flbconf

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/bounded"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// Bounds of what is read. Fluent Bit's own are 1,000 files and 32 MiB a line.
const (
	maxFileSize = 1 << 20
	maxFiles    = 100
	maxDepth    = 10
)

type format int

const (
	classicFormat format = iota
	yamlFormat
)

// property is one key of a section. Fluent Bit sets each element of a YAML list
// as a property of its own, and so does the reader here.
type property struct {
	key    string // lower snake case, as Fluent Bit makes it
	value  string // unexpanded
	line   int
	nth    int    // of a YAML list, from 0
	list   string // all elements of a YAML list with more than one, joined
	nested bool   // a YAML mapping, or a list that holds one
}

// section is one input, filter, output, processor, or the service.
type section struct {
	kind       string
	format     format
	file       string
	line       int
	props      []property
	routes     []route
	processors []*section // for logs, in their order
}

func (s *section) has(key string) bool {
	return slices.ContainsFunc(s.props, func(p property) bool { return p.key == key })
}

// write writes a property as a line of the section's own format.
func (s *section) write(key, value string) string {
	if s.format == yamlFormat {
		return key + ": " + value
	}
	return key + " " + value
}

// plugin is a shared object that the configuration loads.
type plugin struct {
	path, file string
	line       int
}

// loader reads a configuration with all that it includes.
type loader struct {
	sections []*section
	plugins  []plugin
	env      map[string]string // env: and @SET
	fileEnv  map[string]bool   // variables whose value is in a file
	customs  bool              // plugins of a vendor, which can change everything
	findings []Finding
	order    []string // files, as they were read
	unread   []string // files that could not be read as a configuration
	root     string   // directory of the main file
}

func newLoader(path string) *loader {
	return &loader{env: map[string]string{}, fileEnv: map[string]bool{}, root: filepath.Dir(path)}
}

func (l *loader) add(sev Severity, file string, line int, what, why, fix string) {
	l.findings = append(l.findings, Finding{sev, file, max(line, 1), what, why, fix})
}

// load reads one file into the document.
func (l *loader) load(path string, f format, depth int) error {
	if len(l.order) >= maxFiles || depth > maxDepth {
		return fmt.Errorf("more than %d files or %d levels of includes: use fewer", maxFiles, maxDepth)
	}
	if slices.ContainsFunc(l.order, func(seen string) bool { return same(seen, path) }) {
		return errors.New("the file is included twice, which Fluent Bit does not allow: remove one of the two")
	}
	data, err := readText(path)
	if err != nil {
		return err
	}
	l.order = append(l.order, path)
	if rest, ok := bytes.CutPrefix(data, []byte("\xef\xbb\xbf")); ok {
		data = rest
		if f == classicFormat {
			l.add(Error, path, 1, "a byte order mark (BOM) before the first line", "Fluent Bit does not start with it", `sed -i '1s/^\xEF\xBB\xBF//' `+config.ShellWord(path))
		}
	}
	if firstLine(data) == "" {
		l.add(Warning, path, 1, "the file is empty", "Fluent Bit starts and does nothing", "use the file given to fluent-bit -c")
		return nil
	}
	if what, fix := foreign(path, data, f); what != "" {
		l.unread = append(l.unread, path)
		l.add(Error, path, 1, what, "Fluent Bit finds no pipeline in it", fix)
		return nil
	}
	if f == yamlFormat {
		l.yaml(path, data, depth)
	} else {
		l.classic(path, data, depth)
	}
	return nil
}

func same(a, b string) bool {
	ia, errA := os.Stat(a)
	ib, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(ia, ib)
}

// readText reads a file that is small and text.
func readText(path string) ([]byte, error) {
	data, _, err := bounded.ReadFile(path, maxFileSize)
	switch {
	case errors.Is(err, bounded.ErrDirectory):
		return nil, errors.New("is a directory: use the file in it that is given to fluent-bit -c" + exampleIn(path))
	case err != nil:
		return nil, bounded.WithoutPath(err)
	}
	return data, binary(path, data)
}

// exampleIn names a configuration in a directory.
func exampleIn(dir string) string {
	for _, pattern := range []string{"fluent-bit.y*ml", "fluent-bit.conf", "*.yaml", "*.yml", "*.conf"} {
		if found, _ := filepath.Glob(filepath.Join(dir, pattern)); len(found) > 0 {
			return ", perhaps " + found[0]
		}
	}
	return ""
}

// include reads one include of file. YAML resolves it beside the including
// file; classic in the working directory or beside the main file.
func (l *loader) include(target, file string, line int, f format, depth int) {
	dir := l.root
	if f == yamlFormat {
		dir = filepath.Dir(file)
	}
	full := target
	if !filepath.IsAbs(target) {
		full = filepath.Join(dir, target)
		if _, err := os.Stat(full); err != nil && f == classicFormat {
			if _, err := os.Stat(target); err == nil {
				full = target
			}
		}
	}
	paths := []string{full}
	if strings.Contains(target, "*") {
		paths, _ = filepath.Glob(full)
		if len(paths) == 0 {
			l.unread = append(l.unread, target)
			l.add(Error, file, line, "include "+short(target), "no file matches, so Fluent Bit does not start", "correct the path, or remove the line")
		}
	}
	for _, p := range paths {
		if err := l.load(p, f, depth+1); err != nil {
			l.unread = append(l.unread, p)
			l.add(Error, file, line, "include "+short(target), p+": "+err.Error(), "repair the file, or remove the line")
		}
	}
}
