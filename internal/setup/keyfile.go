package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/durable"
	"github.com/zitadel-siem/zitadel-siem/internal/keyfile"
)

// keyFile holds the signing keys of our target, as the endpoint reads them.
type keyFile struct {
	path  string
	keys  []config.Secret // that are in the file
	draft *durable.Draft  // the next content, after begin
}

// readKeyFile reads a file that may be missing.
func readKeyFile(dir, name string) (*keyFile, error) {
	k := &keyFile{path: filepath.Join(dir, name)}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("keys_dir %q is not a directory: create it, and let only the user that runs the listener read it", dir)
	}
	switch info, err := os.Lstat(k.path); {
	case errors.Is(err, fs.ErrNotExist):
		return k, nil
	case err != nil:
		return nil, fmt.Errorf("key file: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("key file %q is not a regular file (a mounted Kubernetes secret?): let setup write to another keys_dir, and create the secret from that", k.path)
	}
	keys, _, err := keyfile.Kind(keyfile.Signing).Read(k.path)
	if err != nil && !errors.Is(err, keyfile.ErrEmpty) {
		return nil, fmt.Errorf("key file %q %w; move it, or use another name", k.path, err)
	}
	for _, key := range keys {
		k.keys = append(k.keys, config.Secret(key))
	}
	return k, nil
}

func (k *keyFile) has(key config.Secret) bool { return slices.Contains(k.keys, key) }

// begin makes sure that a key can be written before ZITADEL is asked for one, so
// that only a failure of the system can lose it.
func (k *keyFile) begin() error {
	if len(k.keys) >= keyfile.MaxKeys {
		return fmt.Errorf("key file %q has %d keys already, which is the maximum: remove the first ones, which are the oldest", k.path, len(k.keys))
	}
	// The endpoint does not read a file whose name begins with a dot.
	draft, err := durable.Create(filepath.Join(filepath.Dir(k.path), "."+filepath.Base(k.path)+".new"))
	if err == nil {
		k.draft = draft
		err = k.giveAway()
	}
	if err != nil {
		return fmt.Errorf("the key file cannot be written: %w; nothing was changed", err)
	}
	return nil
}

// giveAway keeps the owner and the group of the file before, and what the group
// may do with it. A new file that root creates gets the owner of the directory,
// because root runs setup and another user runs the listener.
func (k *keyFile) giveAway() error {
	mode := fs.FileMode(0o600)
	info, err := os.Stat(k.path)
	switch {
	case err == nil:
		mode |= info.Mode().Perm() & 0o060
	case os.Geteuid() != 0:
		return k.draft.File.Chmod(mode)
	default:
		if info, err = os.Stat(filepath.Dir(k.path)); err != nil {
			return err
		}
	}
	if err := chownLike(k.draft.File, info); err != nil {
		return fmt.Errorf("it cannot be given to the user that runs the listener: %w", err)
	}
	return k.draft.File.Chmod(mode)
}

// add writes the file with one more key. The endpoint sees the old file or the
// new one.
func (k *keyFile) add(key config.Secret) error {
	if keyfile.Kind(keyfile.Signing).Check([]byte(key)) != nil {
		return errors.New("ZITADEL returned no usable signing key: run setup again with --rotate")
	}
	var text []byte
	for _, old := range append(slices.Clone(k.keys), key) {
		text = append(append(text, old.Reveal()...), '\n')
	}
	err := k.draft.Write(text)
	if err == nil {
		err = k.draft.Replace(k.path)
	}
	if err == nil {
		k.draft = nil
		k.keys = append(k.keys, key)
		err = durable.SyncDir(filepath.Dir(k.path))
	}
	if err != nil {
		return fmt.Errorf("ZITADEL has created a signing key, but it cannot be written: %w; fix that and run setup again", err)
	}
	return nil
}

// close removes what was begun and not written.
func (k *keyFile) close() {
	if k.draft != nil {
		k.draft.Discard()
		k.draft = nil
	}
}
