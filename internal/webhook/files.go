package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"golang.org/x/sys/unix"
)

const (
	// lookEvery is how often files are looked at for a change.
	lookEvery = time.Second
	// lookAgain is how soon a request that no key fits may cause a look: the key may be new.
	lookAgain = 100 * time.Millisecond
	// maxSecretFile is far above any key file; it keeps a wrong path, say to a log, from
	// being read whole.
	maxSecretFile = 64 << 10
	maxTargets    = 1000
	maxKeys       = 8  // of one target: ZITADEL has two while it changes one
	minKey        = 16 // bytes; ZITADEL's have 36
	maxName       = 64
)

// readSecret reads a file of secrets.
func readSecret(path string) ([]byte, error) {
	b, _, err := readSecretMode(path)
	return b, err
}

func readSecretMode(path string) (b []byte, mode fs.FileMode, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, withoutPath(err)
	}
	if !info.Mode().IsRegular() {
		return nil, 0, errors.New("is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, withoutPath(err)
	}
	defer f.Close()
	b, err = io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err != nil {
		return nil, 0, withoutPath(err)
	}
	if len(b) > maxSecretFile {
		return nil, 0, errors.New("is too long")
	}
	return b, info.Mode(), nil
}

// withoutPath is for messages that have the path.
func withoutPath(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// stamp tells a file's states apart.
func stamp(path string) string {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "away"
	}
	return fmt.Sprint(st.Dev, st.Ino, st.Size, st.Mtim, st.Ctim)
}

// watched is something that is read from files, and read again when they change. Where that
// fails it stays as it was.
type watched[T any] struct {
	what  string // the option
	state func() string
	read  func(old T) (T, error)
	now   func() time.Time
	log   *slog.Logger

	value  atomic.Pointer[T]
	mu     sync.Mutex
	looked time.Time
	seen   string
	failed string // told last
}

// open reads for the first time.
func (w *watched[T]) open() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looked, w.seen = w.now(), w.state()
	var zero T
	v, err := w.read(zero)
	if p, ok := errors.AsType[partial](err); ok {
		w.failed = p.Error()
		w.log.Warn("webhook: a file cannot be used", "option", w.what, "error", p)
	} else if err != nil {
		return fmt.Errorf("%s: %w", w.what, err)
	}
	w.value.Store(&v)
	return nil
}

// partial is an error that leaves the rest of use.
type partial struct{ error }

// get returns the value; it looks at the files if the last look is older than every. While
// another goroutine looks it does not wait.
func (w *watched[T]) get(every time.Duration) T {
	if w.mu.TryLock() {
		if now := w.now(); now.Sub(w.looked).Abs() >= every {
			w.looked = now
			w.look()
		}
		w.mu.Unlock()
	}
	return *w.value.Load()
}

// look reads again what has changed. w.mu is held.
func (w *watched[T]) look() {
	state := w.state()
	if state == w.seen && w.failed == "" {
		return
	}
	v, err := w.read(*w.value.Load())
	if err != nil {
		if text := err.Error(); text != w.failed {
			w.failed = text
			w.log.Error("webhook: a changed file cannot be used, what was read before stays in use", "option", w.what, "error", err)
		}
	} else {
		if state != w.seen || w.failed != "" {
			w.log.Info("webhook: files have changed and are in use", "option", w.what)
		}
		w.failed = ""
	}
	w.seen = state
	w.value.Store(&v)
}

// keySet holds the keys, or secrets, by name.
type keySet map[string][][]byte

// keyDir is a watched directory of key files.
type keyDir struct{ watched[keySet] }

// noKeys stand in for the keys of a target that there is none of, so that both take about the same time.
var noKeys = [][]byte{[]byte("there is no such target")}

// fit asks whether good keys of the target fit, and once more where the files are newer. It
// may be called on nil, which has no target.
func (d *keyDir) fit(target string, good func(keys [][]byte) bool) (fits, known bool) {
	if d == nil {
		good(noKeys)
		return false, false
	}
	for _, every := range [...]time.Duration{lookEvery, lookAgain} {
		var keys [][]byte
		if keys, known = d.get(every)[target]; !known {
			keys = noKeys
		}
		if good(keys) && known {
			return true, true
		}
	}
	return false, known
}

// newKeys watches a directory of key files. isKey says which bytes a key has.
func newKeys(option, dir string, isKey func(byte) bool, now func() time.Time, log *slog.Logger) (*keyDir, error) {
	told := make(map[string]bool)
	warn := func(name, what, mend string) {
		if !told[name+what] {
			told[name+what] = true
			log.Warn("webhook: "+what, "option", option, "file", filepath.Join(dir, name), "mend", mend)
		}
	}
	w := &keyDir{watched[keySet]{what: option, now: now, log: log,
		state: func() string {
			names, _ := keyFiles(dir, nil)
			state := stamp(dir)
			for _, name := range names {
				state += "\x00" + name + "\x00" + stamp(filepath.Join(dir, name))
			}
			return state
		},
		read: func(old keySet) (keySet, error) { return readKeys(dir, old, isKey, warn) },
	}}
	return w, w.open()
}

// Keys as ZITADEL makes them, and whatever else one writes in base64 or hex: prose has spaces
// and full stops.
func isKeyByte(c byte) bool { return isNameByte(c) || c == '+' || c == '/' || c == '=' }

// The secret of a script is what somebody chose.
func isSecretByte(c byte) bool { return c > ' ' && c < 0x7f }

// keyFiles lists the names. Those that begin with a dot are none: Kubernetes keeps its
// own there. Other names that no target may have are those of backups and of notes.
func keyFiles(dir string, warn func(name, what, mend string)) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("%q cannot be read: %w; name a directory with one file for each target", dir, withoutPath(err))
	}
	for _, e := range entries {
		switch {
		case e.IsDir() || e.Name()[0] == '.':
		case goodName(e.Name()):
			names = append(names, e.Name())
		case warn != nil:
			warn(e.Name(), "a file whose name no target can have is left alone", "letters, digits, - and _, "+fmt.Sprint(maxName)+" at most; or move it away")
		}
	}
	if len(names) > maxTargets {
		return nil, fmt.Errorf("%q has more than %d files: name a directory with nothing but key files", dir, maxTargets)
	}
	return names, nil
}

// goodName reports whether a file, or the first segment of a path, is called as targets may be.
func goodName(name string) bool {
	if name == "" || len(name) > maxName || name[0] == '-' {
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

// IsKey reports whether a line has the characters of a signing key, as the endpoint wants
// them.
func IsKey(line []byte) bool {
	return !bytes.ContainsFunc(line, func(r rune) bool { return r > unicode.MaxASCII || !isKeyByte(byte(r)) })
}

// readKeys reads the directory. A file that cannot be used keeps the keys it had, and is an error.
func readKeys(dir string, old keySet, isKey func(byte) bool, warn func(name, what, mend string)) (keySet, error) {
	names, err := keyFiles(dir, warn)
	if err != nil {
		return old, err
	}
	set := make(keySet)
	var all []error
	for _, name := range names {
		keys, mode, err := readKeyFile(filepath.Join(dir, name), isKey)
		if perm := mode.Perm(); perm&0o077 != 0 {
			warn(name, fmt.Sprintf("a file with keys can be read by others (mode %04o)", perm), "chmod 600")
		}
		if err != nil {
			all = append(all, fmt.Errorf("%q %w", filepath.Join(dir, name), err))
			if keys = old[name]; keys == nil {
				continue
			}
		}
		set[name] = keys
	}
	if len(names) == 0 {
		all = append(all, fmt.Errorf("%q has no file: put the signing key of each target into a file with the name of its path's first segment", dir))
	}
	err = errors.Join(all...)
	if err != nil && len(set) > 0 {
		return set, partial{err}
	}
	return set, err
}

// readKeyFile takes a file as a whole, or not: what stands beside a key is none, however long.
func readKeyFile(path string, isKey func(byte) bool) (keys [][]byte, mode fs.FileMode, err error) {
	b, mode, err := readSecretMode(path)
	if err != nil {
		return nil, 0, err
	}
	for line := range bytes.Lines(b) {
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0:
		case len(line) < minKey:
			return nil, mode, fmt.Errorf("has a key of less than %d bytes", minKey)
		case bytes.ContainsFunc(line, func(r rune) bool { return r > unicode.MaxASCII || !isKey(byte(r)) }):
			return nil, mode, errors.New("has a line that is no key: one in a line, and nothing else")
		case len(keys) == maxKeys:
			return nil, mode, fmt.Errorf("has more than %d keys", maxKeys)
		default:
			keys = append(keys, line)
		}
	}
	if len(keys) == 0 {
		return nil, mode, errors.New("holds no key: one in a line")
	}
	return keys, mode, nil
}
