package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

// wantDamageRefused cuts the state that a reader left: at every byte, for what
// the state file's package says, and at one, for what the reader does.
func (w *world) wantDamageRefused(r *reader, draw *rand.Rand) error {
	good, err := os.ReadFile(r.state())
	if err != nil {
		return err
	}
	step := 1
	if !w.long() {
		step = 97 // it holds the keys of thousands of events
	}
	copied := filepath.Join(r.dir, "cut.state")
	for n := draw.IntN(step); n < len(good)-1; n += step { // the last byte is a newline
		if err := os.WriteFile(copied, good[:n], 0o600); err != nil {
			return err
		}
		if err := refusal(copied); err != nil {
			return fmt.Errorf("%s: state cut at byte %d of %d: %w", r.name, n, len(good), err)
		}
		r.stateCuts++
	}
	return w.wantReaderRefuses(r, good, good[:draw.IntN(len(good)-1)])
}

// refusal is an error where a damaged state is taken, or where it is not said
// what to do.
func refusal(path string) error {
	_, err := cursor.Read(path)
	if err == nil {
		return errors.New("it is taken for a whole one")
	}
	if !tellsWhatToDo(err.Error()) {
		return fmt.Errorf("not said what to do: %w", err)
	}
	return nil
}

func tellsWhatToDo(text string) bool {
	return strings.Contains(text, "restore it from a backup") && strings.Contains(text, "move it away")
}

// wantReaderRefuses starts the reader on a cut state, which it must neither
// take nor change, and then on the good one.
func (w *world) wantReaderRefuses(r *reader, good, cut []byte) error {
	if err := os.WriteFile(r.state(), cut, 0o600); err != nil {
		return err
	}
	before := r.logged("restore it from a backup")
	err := r.start()
	refused := err != nil || await(w.t.Context(), stopTime, r.running().ended)
	switch {
	case !refused:
		err = errors.New("it runs on a state that was cut")
	case err == nil && r.running().err == nil:
		err = errors.New("it ends as if all were well with a state that was cut")
	case r.logged("restore it from a backup") == before:
		err = errors.New("it does not say what to do with a state that was cut")
	default:
		err = nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	r.running().kill() // a host goes on without its plugin
	if left, err := os.ReadFile(r.state()); err != nil || !bytes.Equal(left, cut) {
		return fmt.Errorf("%s: it changed a state that was cut: %w", r.name, err)
	}

	// The good one back: it goes on and repeats nothing.
	if err := os.WriteFile(r.state(), good, 0o600); err != nil {
		return err
	}
	if err := r.start(); err != nil {
		return err
	}
	if await(w.t.Context(), time.Second, r.running().ended) {
		return fmt.Errorf("%s: it ended on the good state: %w", r.name, r.running().err)
	}
	return r.stop()
}
