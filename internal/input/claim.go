package input

import (
	"fmt"
	"path/filepath"
	"sync"
)

// claims are the state files of the inputs in this process. A lock alone cannot
// tell a second input with the same state_path, which is a mistake in the
// configuration, from the old input of a reload, which is about to go: the
// generation can.
var claims = struct {
	sync.Mutex
	live map[claim]bool
}{live: make(map[claim]bool)}

type claim struct {
	path       string
	generation int
}

// claimState fails if an input of the same generation has the state.
func claimState(path string, generation int) (release func(), err error) {
	c := claim{absolute(path), generation}
	claims.Lock()
	defer claims.Unlock()
	if claims.live[c] {
		return nil, fmt.Errorf("state_path %q: another reader has it, an input of the same configuration: give every reader a state_path of its own", path)
	}
	claims.live[c] = true
	return func() {
		claims.Lock()
		defer claims.Unlock()
		delete(claims.live, c)
	}, nil
}

func absolute(path string) string {
	if a, err := filepath.Abs(path); err == nil {
		path = a
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(dir, filepath.Base(path))
	}
	return path
}
