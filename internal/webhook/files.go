package webhook

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/bounded"
	"github.com/zitadel-siem/zitadel-siem/internal/keyfile"
	"github.com/zitadel-siem/zitadel-siem/internal/outage"
	"github.com/zitadel-siem/zitadel-siem/internal/watched"
)

const (
	// lookEvery is how often files are checked for a change.
	lookEvery = time.Second
	// lookAgain is how soon a request that no key fits may cause another check,
	// because the key may be new.
	lookAgain = 100 * time.Millisecond
	// maxPrivate is far above a file of private keys, in bytes.
	maxPrivate = 64 << 10
	maxTargets = 1000
)

// partial is an error that leaves a part of the files usable.
type partial struct{ error }

// watch reads files that an option names, and follows their changes. If a changed
// file cannot be used, what was read before stays in use.
func watch[T any](e *Endpoint, option string, stamp func() string, read func(previous T) (T, error)) (*watched.Value[T], error) {
	var outages outage.Log
	v := &watched.Value[T]{Stamp: stamp, Read: read, Now: e.now}
	v.Changed = func(err error) {
		if err == nil {
			outages.Worked()
			e.log.Info("webhook: files have changed and are in use", "option", option)
		} else if outages.Failed(err) {
			e.log.Error("webhook: a changed file cannot be used, what was read before stays in use", "option", option, "error", err)
		}
	}
	_, err := v.Reload()
	if _, ok := errors.AsType[partial](err); ok {
		outages.Failed(err)
		e.log.Warn("webhook: a file cannot be used", "option", option, "error", err)
		return v, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", option, err)
	}
	return v, nil
}

// keySet holds the keys of Actions V2, or the secrets of V1, by target.
type keySet map[string][][]byte

// noKeys replace the keys of a target that does not exist, so that both cases
// take about the same time.
var noKeys = [][]byte{[]byte("there is no such target")}

// fit reports whether fits accepts the keys of the target. If it does not, the
// files may be newer than what was read, so they are checked again. dir may be
// nil: no targets.
func fit(dir *watched.Value[keySet], target string, fits func(keys [][]byte) bool) (ok, known bool) {
	if dir == nil {
		fits(noKeys)
		return false, false
	}
	for _, every := range [...]time.Duration{lookEvery, lookAgain} {
		set, _ := dir.Get(every)
		var keys [][]byte
		if keys, known = set[target]; !known {
			keys = noKeys
		}
		if fits(keys) && known {
			return true, true
		}
	}
	return false, known
}

// watchKeys reads and follows a directory of key files.
func (e *Endpoint) watchKeys(option, dir string, kind keyfile.Kind) (*watched.Value[keySet], error) {
	warned := make(map[string]bool)
	warn := func(name, what, fix string) {
		if !warned[name+what] {
			warned[name+what] = true
			e.log.Warn("webhook: "+what, "option", option, "file", filepath.Join(dir, name), "fix", fix)
		}
	}
	return watch(e, option,
		func() string {
			names, _ := keyFiles(dir, nil)
			stamp := watched.Stamp(dir)
			for _, name := range names {
				stamp += "\x00" + name + "\x00" + watched.Stamp(filepath.Join(dir, name))
			}
			return stamp
		},
		func(previous keySet) (keySet, error) { return readKeys(dir, previous, kind, warn) })
}

// keyFiles lists the names of the key files. A name that begins with a dot is
// ignored: Kubernetes has files of its own there. Other names that no target can
// have belong to backups and notes.
func keyFiles(dir string, warn func(name, what, fix string)) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("%q cannot be read: %w; name a directory with one file for each target", dir, bounded.WithoutPath(err))
	}
	for _, e := range entries {
		switch {
		case e.IsDir() || e.Name()[0] == '.':
		case keyfile.ValidName(e.Name()):
			names = append(names, e.Name())
		case warn != nil:
			warn(e.Name(), "a file is ignored, because no target can have its name",
				fmt.Sprintf("use letters, digits, - and _, at most %d; or move it away", keyfile.MaxName))
		}
	}
	if len(names) > maxTargets {
		return nil, fmt.Errorf("%q has more than %d files: name a directory with nothing but key files", dir, maxTargets)
	}
	return names, nil
}

// readKeys reads the directory. A file that cannot be used is an error, and its
// target keeps the previous keys.
func readKeys(dir string, previous keySet, kind keyfile.Kind, warn func(name, what, fix string)) (keySet, error) {
	names, err := keyFiles(dir, warn)
	if err != nil {
		return previous, err
	}
	set := make(keySet)
	var all []error
	for _, name := range names {
		keys, mode, err := kind.Read(filepath.Join(dir, name))
		if exposed := keyfile.Exposed(mode); exposed != "" {
			warn(name, "a file with keys "+exposed, "chmod 600")
		}
		if err != nil {
			all = append(all, fmt.Errorf("%q %w", filepath.Join(dir, name), err))
			if keys = previous[name]; keys == nil {
				continue
			}
		}
		set[name] = keys
	}
	if len(names) == 0 {
		all = append(all, fmt.Errorf("%q has no file: put the signing key of each target into a file whose name is the first segment of the path in the target's URL", dir))
	}
	err = errors.Join(all...)
	if err != nil && len(set) > 0 {
		return set, partial{err}
	}
	return set, err
}
