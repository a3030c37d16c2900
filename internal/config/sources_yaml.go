package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"

	"go.yaml.in/yaml/v3"

	"github.com/zitadel-siem/zitadel-siem/internal/bounded"
)

// maxSources bounds one file: a source takes some 120 bytes if the defaults say the rest, so
// that 16 MiB are 100,000 sources. It bounds all files of sources_dir together, too.
const maxSources = 16 << 20

type fileInfo struct {
	mode fs.FileMode
	size int64
}

// readYAML reads one file, which must have what needs says.
func readYAML(path, needs string) (*yaml.Node, fileInfo, error) {
	var info fileInfo
	r, err := os.Open(path) // may be a pipe
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, info, fileError(err)
	case err != nil:
		return nil, info, fmt.Errorf("%w; name the YAML file of the sources", bounded.WithoutPath(err)) // the message has the path
	}
	defer r.Close()
	if stat, err := r.Stat(); err == nil {
		info.mode = stat.Mode()
	}
	data, err := bounded.ReadAll(r, maxSources)
	info.size = int64(len(data))
	switch {
	case errors.Is(err, bounded.ErrTooLarge):
		return nil, info, errors.New("is larger than 16 MiB, so it is no file of sources: name the YAML file of the sources")
	case err != nil:
		return nil, info, fmt.Errorf("%w; name the YAML file of the sources", bounded.WithoutPath(err))
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, info, notYAML(data, err)
	}
	if len(doc.Content) == 0 {
		return nil, info, errors.New("is empty: it must have " + needs)
	}
	return doc.Content[0], info, nil
}

var (
	yamlLine   = regexp.MustCompile(`^yaml: line (\d+): `)
	yamlAnchor = regexp.MustCompile(`^yaml: unknown anchor '(.*)' referenced$`)
)

// notYAML keeps only the line number of the library's error: its text can repeat a
// secret that begins with a special character.
func notYAML(data []byte, err error) error {
	where := ""
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		where = "line " + m[1] + ": "
	} else if m := yamlAnchor.FindStringSubmatch(err.Error()); m != nil {
		if before, _, ok := bytes.Cut(data, []byte("*"+m[1])); ok {
			where = fmt.Sprintf("line %d: ", 1+bytes.Count(before, []byte("\n")))
		}
	}
	return errors.New(where + "is not valid YAML; put a value that begins with a special character, such as * or &, in quotes")
}
