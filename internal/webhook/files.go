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
	info, err := os.Stat(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err != nil {
		return nil, withoutPath(err)
	}
	if len(b) > maxSecretFile {
		return nil, errors.New("is too long")
	}
	return b, nil
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
	if err != nil {
		return fmt.Errorf("%s: %w", w.what, err)
	}
	w.value.Store(&v)
	return nil
}

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

// newKeys watches a directory of key files.
func newKeys(option, dir string, now func() time.Time, log *slog.Logger) (*keyDir, error) {
	w := &keyDir{watched[keySet]{what: option, now: now, log: log,
		state: func() string {
			names, _ := keyFiles(dir)
			state := stamp(dir)
			for _, name := range names {
				state += "\x00" + name + "\x00" + stamp(filepath.Join(dir, name))
			}
			return state
		},
		read: func(old keySet) (keySet, error) { return readKeys(dir, old) },
	}}
	return w, w.open()
}

// keyFiles lists the names. Those that begin with a dot are none: Kubernetes keeps its
// own there.
func keyFiles(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("%q cannot be read: %w; name a directory with one file for each target", dir, withoutPath(err))
	}
	for _, e := range entries {
		if goodName(e.Name()) && !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	if len(names) > maxTargets {
		return nil, fmt.Errorf("%q has more than %d files: name a directory with nothing but key files", dir, maxTargets)
	}
	return names, nil
}

// goodName reports whether a file, or the first segment of a path, is called as targets may be.
func goodName(name string) bool {
	if name == "" || len(name) > maxName || name[0] == '.' || name[0] == '-' {
		return false
	}
	for _, c := range []byte(name) {
		if c-'0' > 9 && c|0x20-'a' > 25 && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// readKeys reads the directory. A file that cannot be used keeps the keys it had, and is an error.
func readKeys(dir string, old keySet) (keySet, error) {
	names, err := keyFiles(dir)
	if err != nil {
		return old, err
	}
	set := make(keySet)
	var all []error
	for _, name := range names {
		keys, err := readKeyFile(filepath.Join(dir, name))
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
	return set, errors.Join(all...)
}

func readKeyFile(path string) (keys [][]byte, err error) {
	b, err := readSecret(path)
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(b) {
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0:
		case len(line) < minKey:
			return nil, fmt.Errorf("has a key of less than %d bytes", minKey)
		case len(keys) == maxKeys:
			return nil, fmt.Errorf("has more than %d keys", maxKeys)
		default:
			keys = append(keys, line)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("holds no key: one in a line")
	}
	return keys, nil
}
