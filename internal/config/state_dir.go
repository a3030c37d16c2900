package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"github.com/zitadel-siem/zitadel-siem/internal/durable"
)

// stateDir reads the setting of a directory for all states.
func (f *sourcesFile) stateDir(node *yaml.Node) {
	if dir := f.plain("state_dir", node, "the path of a directory"); dir != "" {
		f.useStateDir(node.Line, dir)
	}
}

func (f *sourcesFile) useStateDir(line int, dir string) {
	f.opts.StateDir = dir
	if f.opts.NoFiles {
		return
	}
	switch info, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		f.fail(line, "state_dir %s does not exist; mkdir -p -m 700 %s", quote(dir), ShellWord(dir))
	case err != nil:
		f.fail(line, "state_dir %s: %v", quote(dir), fileError(err))
	case !info.IsDir():
		f.fail(line, "state_dir %s is not a directory: name one", quote(dir))
	}
}

// StateIn is where a source without state_path has its state below dir. There are 256
// sub-directories, because some file systems are slow with 10,000 files in one.
func StateIn(dir, instance string) string {
	sum := sha256.Sum256([]byte(instance))
	name := url.PathEscape(instance)
	if len(name) > 200 { // file systems allow 255 bytes, of which ".state.spool" and the like need some
		name = name[:160] + "-" + hex.EncodeToString(sum[:16])
	}
	return filepath.Join(dir, hex.EncodeToString(sum[:1]), name+".state")
}

// MakeStateDir makes the sub-directory of [Settings.StateDir] that the state of s is to
// be in, for this user alone. A source with a state_path of its own has none.
func (s *Settings) MakeStateDir() error {
	if s.StateDir == "" {
		return nil
	}
	switch err := os.Mkdir(filepath.Dir(s.StatePath), 0o700); {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		return fmt.Errorf("state_dir: %w; give the directory to this user, or name another", err)
	}
	// Otherwise a power failure can take the directory away, and the state with it.
	return durable.SyncDir(s.StateDir)
}
