package setup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/webhook"
)

const (
	maxKeys    = 8 // that the endpoint reads; ZITADEL signs with one
	minKey     = 16
	maxKeyFile = 64 << 10
)

// keyFile has the signing keys of one target, one in a line, as the endpoint reads them.
type keyFile struct {
	path string
	keys []config.Secret // that it has
	next *os.File        // the file to come, where there is to be one
}

// readKeyFile reads a file that may be missing.
func readKeyFile(dir, name string) (*keyFile, error) {
	k := &keyFile{path: filepath.Join(dir, name)}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("keys_dir %q is no directory: make it, readable to the user that listens, and to no other", dir)
	}
	info, err := os.Lstat(k.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return k, nil
	case err != nil:
		return nil, fmt.Errorf("key file: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("key file %q is no regular file (a mounted Kubernetes secret?): let setup write into another keys_dir, and make the secret of that", k.path)
	}
	f, err := os.Open(k.path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	for line := range bytes.Lines(b) {
		line = bytes.TrimSpace(line)
		if n := len(line); n > 0 && n < minKey || len(b) > maxKeyFile || !webhook.IsKey(line) {
			return nil, fmt.Errorf("key file %q holds something else than signing keys, one in a line: move it away, or give another name", k.path)
		}
		if len(line) > 0 {
			k.keys = append(k.keys, config.Secret(line))
		}
	}
	return k, nil
}

func (k *keyFile) has(key config.Secret) bool { return slices.Contains(k.keys, key) }

// begin makes sure that a key can be written, before ZITADEL is asked for one:
// only the system's own faults can then lose it.
func (k *keyFile) begin() error {
	if len(k.keys) >= maxKeys {
		return fmt.Errorf("key file %q has %d keys already, as many as are read: take the first ones out, they are the oldest", k.path, len(k.keys))
	}
	// A name with a dot in front is no key file to the endpoint.
	name := filepath.Join(filepath.Dir(k.path), "."+filepath.Base(k.path)+".new")
	os.Remove(name) // of a run that was killed
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		k.next = f
		err = k.giveAway()
	}
	if err != nil {
		return fmt.Errorf("the key file cannot be written: %w; nothing was changed", err)
	}
	return nil
}

// giveAway keeps owner and group of the file before, and what the group may do
// with it. A new one that root makes belongs to whom the directory does: root sets
// up, another user listens.
func (k *keyFile) giveAway() error {
	mode := fs.FileMode(0o600)
	info, err := os.Stat(k.path)
	switch {
	case err == nil:
		mode |= info.Mode().Perm() & 0o060
	case os.Geteuid() != 0:
		return k.next.Chmod(mode)
	default:
		if info, err = os.Stat(filepath.Dir(k.path)); err != nil {
			return err
		}
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		if err := k.next.Chown(int(owner.Uid), int(owner.Gid)); err != nil {
			return fmt.Errorf("as its owner, who listens: %w", err)
		}
	}
	return k.next.Chmod(mode)
}

// add writes the file with a key more: write, fsync, rename, fsync of the
// directory. The endpoint sees the old file or the new one.
func (k *keyFile) add(key config.Secret) error {
	if len(key) < minKey || !webhook.IsKey([]byte(key)) {
		return errors.New("ZITADEL gave no signing key that can be used: run setup again with --rotate")
	}
	var text []byte
	for _, old := range append(slices.Clone(k.keys), key) {
		text = append(append(text, old.Reveal()...), '\n')
	}
	name := k.next.Name()
	_, err := k.next.Write(text)
	if err == nil {
		err = k.next.Sync()
	}
	err = errors.Join(err, k.next.Close())
	k.next = nil
	if err == nil {
		err = os.Rename(name, k.path)
	}
	if err != nil {
		os.Remove(name)
		return lost(err)
	}
	k.keys = append(k.keys, key)
	dir, err := os.Open(filepath.Dir(k.path))
	if err != nil {
		return lost(err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return lost(err)
	}
	return nil
}

func lost(err error) error {
	return fmt.Errorf("ZITADEL has made a signing key, but it cannot be written: %w; mend that and run setup again", err)
}

// close takes away what was begun and not written.
func (k *keyFile) close() {
	if k.next != nil {
		k.next.Close()
		os.Remove(k.next.Name())
		k.next = nil
	}
}
