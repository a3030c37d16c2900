package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/zitadel-siem/zitadel-siem/internal/bounded"
	"github.com/zitadel-siem/zitadel-siem/internal/watched"
)

// maxSourceFiles bounds the files of sources_dir: each is opened at a reload, and looked at
// every few seconds.
const maxSourceFiles = 100_000

// readDir reads the files of sources_dir, in the order of their names.
func (f *sourcesFile) readDir() {
	if f.out.Dir == "" {
		return
	}
	names, err := sourceFiles(f.out.Dir)
	f.out.Stamp += stampFiles(f.out.Dir, names, err)
	if err != nil {
		f.failAt(f.dirAt, "sources_dir %s: %v", quote(f.out.Dir), err)
		return
	}
	var size int64
	for _, name := range names {
		path := filepath.Join(f.out.Dir, name)
		if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() { // a pipe would be waited for, for ever
			f.problems = append(f.problems, path+": is not a regular file: remove it, or give it another ending than .yaml and .yml")
			continue
		}
		root, info, err := readYAML(path, "the options of a source, beginning with `url:`, or a list of sources")
		if err != nil {
			f.problems = append(f.problems, fmt.Sprintf("%s: %v", path, err))
			continue
		}
		if size += info.size; size > maxSources {
			f.failAt(f.dirAt, "sources_dir %s has more than 16 MiB of sources: share them among several processes", quote(f.out.Dir))
			return
		}
		f.name = path
		if root.Kind == yaml.SequenceNode {
			f.list(root)
		} else {
			f.source(root)
		}
		f.exposed(path, info.mode)
	}
	f.name = ""
}

// sourceFiles returns the names of the files of sources: NAME.yaml and NAME.yml. Hidden ones
// are no sources: editors, and the links that Kubernetes mounts a ConfigMap with, make them.
func sourceFiles(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("%w; name a directory that this user can read", bounded.WithoutPath(err))
	}
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if strings.HasPrefix(e.Name(), ".") || ext != ".yaml" && ext != ".yml" || e.IsDir() {
			continue
		}
		if names = append(names, e.Name()); len(names) > maxSourceFiles {
			return nil, errors.New("has more than 100,000 files: write several sources into one file, as a list")
		}
	}
	return names, nil
}

// StampSources is a text that differs once the file or one of dir has changed; an empty dir
// is none. It follows links, so that it sees a new version of a mounted ConfigMap, whose
// files are links through a link that is exchanged.
func StampSources(path, dir string) string { return stampFile(path) + stampDir(dir) }

// stampFile is the stamp of the file of --config. A pipe has none: it can be read once only, and
// reading changes it.
func stampFile(path string) string {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return "not regular"
	}
	return watched.Stamp(path)
}

func stampDir(dir string) string {
	if dir == "" {
		return ""
	}
	names, err := sourceFiles(dir)
	return stampFiles(dir, names, err)
}

// stampFiles gets what [sourceFiles] returned.
func stampFiles(dir string, names []string, err error) string {
	if err != nil {
		return "\n" + err.Error()
	}
	var all strings.Builder
	for _, name := range names {
		all.WriteString("\n" + name + " " + watched.Stamp(filepath.Join(dir, name)))
	}
	return all.String()
}
