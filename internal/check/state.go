package check

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/statestore"
)

// checkState reads the state file without taking its lock: a reader may be
// running.
func checkState(r *report, s config.Settings) {
	if s.StatePath == "" {
		return // checkValues reports it
	}
	dir := filepath.Dir(s.StatePath)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) && s.StateDir != "" {
		dir = s.StateDir // the reader makes the rest
	}
	if err := tryWriting(dir); err != nil {
		r.say(fails, "state", fmt.Sprintf("this user cannot write to the directory of %s: %v", s.StatePath, err),
			"free disk space, or give the directory to the user that runs the reader (chown)")
		return
	}
	state, err := cursor.Read(s.StatePath)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.say(passes, "state", fmt.Sprintf("%s does not exist yet: reading begins at %s", s.StatePath, s.Start), "")
	case err != nil:
		r.say(fails, "state", err.Error(), "")
	case state.Instance != s.Instance:
		r.say(fails, "state", fmt.Sprintf("%s belongs to instance %q, not to %q", s.StatePath, state.Instance, s.Instance),
			fmt.Sprintf("use another state_path, or set instance to %q", state.Instance))
	default:
		r.say(passes, "state", s.StatePath+": "+statestore.Describe(state), "")
		checkHoles(r, state)
	}
}

func checkHoles(r *report, state cursor.State) {
	if n := len(state.Holes); n > 0 {
		r.say(warns, "state", fmt.Sprintf("%d gaps in sequences are still being asked for", n), "nothing to do: the reader keeps asking for an hour")
	}
}

// tryWriting writes a file and removes it. Permissions alone do not show that a
// disk is full or read-only.
func tryWriting(dir string) error {
	f, err := os.CreateTemp(dir, ".zitadel-siem-check-*")
	if err != nil {
		return err
	}
	_, err = f.WriteString("written by zitadel-siem check, which removes it at once\n")
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}
