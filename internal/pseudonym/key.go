package pseudonym

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
)

const (
	// MinKey is the least length of a key in bytes, that of the hash.
	MinKey = 32
	// maxKeyFile keeps a wrong path, say to a log, from being read whole.
	maxKeyFile = 4 << 10
)

// Load reads the key file and returns the maker of tokens.
func Load(path string) (*Tokens, error) {
	key, err := ReadKey(path)
	if err != nil {
		return nil, err
	}
	return New(key), nil
}

// ReadKey reads a key file: base64 or hex of at least [MinKey] random bytes, readable for
// its owner and at most its group. Errors name the file and the command that makes one.
func ReadKey(path string) ([]byte, error) {
	key, err := readKey(path)
	if err == nil {
		return key, nil
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err // the message has the path
	}
	return nil, fmt.Errorf("pseudonyms_key_file %q: %w; to make a key: (umask 077; openssl rand -base64 32 > %s)", path, err, path)
}

func readKey(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	if mode := info.Mode().Perm(); mode&0o027 != 0 && runtime.GOOS != "windows" { // no permission bits there
		return nil, fmt.Errorf("others may read or change it (mode %04o): chmod 600 %s, and make a new key if somebody has read it", mode, path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxKeyFile {
		return nil, fmt.Errorf("has more than %d bytes, which no key has", maxKeyFile)
	}
	return parseKey(bytes.TrimSpace(text))
}

// parseKey decodes hex or base64. The text is in no error.
func parseKey(text []byte) (key []byte, err error) {
	if len(text) == 0 {
		return nil, errors.New("is empty")
	}
	if key, err = hex.DecodeString(string(text)); err != nil {
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			if key, err = e.DecodeString(string(text)); err == nil {
				break
			}
		}
	}
	switch {
	case err != nil:
		return nil, errors.New("is neither base64 nor hex")
	case len(key) < MinKey:
		return nil, fmt.Errorf("has a key of %d bytes, fewer than %d", len(key), MinKey)
	case bytes.Count(key, key[:1]) == len(key):
		return nil, errors.New("has a key of one repeated byte, which is not random")
	}
	return key, nil
}
