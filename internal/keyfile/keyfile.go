// Package keyfile has the rules of the files that hold the keys of a webhook
// target: the endpoint reads them, setup writes them, and the options check
// their names.
//
// A file has the name of the target and holds one key in each line. It is taken
// as a whole or not at all: a line that is not a key makes the file unusable,
// because it may be a half-written key.
package keyfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"runtime"

	"github.com/zitadel-siem/zitadel-siem/internal/bounded"
)

const (
	// MaxKeys of one target are read. ZITADEL signs with one, and with two while
	// a key is changed.
	MaxKeys = 8
	// MinKey is the least length in bytes. ZITADEL's keys have 36.
	MinKey = 16
	// MaxName is the most length of a name.
	MaxName = 64

	// maxFile is far above any key file. It keeps a wrong path, for example of a
	// log file, from being read whole.
	maxFile = 64 << 10
)

// ValidName reports whether a target, and so its file, may have this name: it is
// the first segment of a path in a URL.
func ValidName(name string) bool {
	if name == "" || len(name) > MaxName || name[0] == '-' {
		return false
	}
	for _, c := range []byte(name) {
		if !isNameByte(c) {
			return false
		}
	}
	return true
}

func isNameByte(c byte) bool { return c-'0' <= 9 || c|0x20-'a' <= 25 || c == '-' || c == '_' }

// A Kind is a kind of key.
type Kind func(c byte) bool

// Signing is the key of an Actions V2 target, in base64 or hex. Text has spaces
// and full stops, so it is not taken for a key.
func Signing(c byte) bool { return isNameByte(c) || c == '+' || c == '/' || c == '=' }

// Secret is the secret of a script of Actions V1, which its author chose.
func Secret(c byte) bool { return c > ' ' && c < 0x7f }

// Check returns an error if key is not a key of this kind. The error does not
// repeat it.
func (is Kind) Check(key []byte) error {
	if len(key) < MinKey {
		return fmt.Errorf("has a key of less than %d bytes: write a longer one", MinKey)
	}
	for _, c := range key {
		if !is(c) {
			return errors.New("has a line that is not a key: write one key in each line, and nothing else")
		}
	}
	return nil
}

// Read returns the keys of a file, and its mode if it could be opened.
func (is Kind) Read(path string) (keys [][]byte, mode fs.FileMode, err error) {
	content, mode, err := bounded.ReadFile(path, maxFile)
	if err != nil {
		return nil, mode, err
	}
	for line := range bytes.Lines(content) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if err := is.Check(line); err != nil {
			return nil, mode, err
		}
		if len(keys) == MaxKeys {
			return nil, mode, fmt.Errorf("has more than %d keys: remove the oldest", MaxKeys)
		}
		keys = append(keys, line)
	}
	if len(keys) == 0 {
		return nil, mode, ErrEmpty
	}
	return keys, mode, nil
}

// Exposed says that everybody can read a file of this mode, or its group can change it;
// "" if neither. A group may read: 0640 is how a service of its own user gets a file of
// root, and 0440 is how Kubernetes mounts every secret.
func Exposed(mode fs.FileMode) string {
	perm := mode.Perm()
	switch {
	case runtime.GOOS == "windows": // no permission bits there
		return ""
	case perm&0o007 != 0:
		return fmt.Sprintf("can be read by others (mode %04o)", perm)
	case perm&0o020 != 0:
		return fmt.Sprintf("can be changed by its group (mode %04o)", perm)
	}
	return ""
}

// ErrEmpty means a file without a key.
var ErrEmpty = errors.New("holds no key: write one key in each line")
