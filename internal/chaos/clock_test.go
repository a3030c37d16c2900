package chaos

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// clock is a wall clock that the test moves: an offset in a file, read by the
// process that uses it. The monotonic clock is not moved, as when somebody sets the time
// of a machine.
type clock struct{ path string }

func (c *clock) set(offset time.Duration) error {
	tmp := c.path + ".tmp"
	if err := os.WriteFile(tmp, []byte(offset.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, c.path)
}

// now is the wall clock of the process.
func (c *clock) now() time.Time {
	b, err := os.ReadFile(c.path)
	if err != nil {
		return time.Now() // not moved yet
	}
	offset, err := time.ParseDuration(strings.TrimSpace(string(b)))
	if err != nil {
		panic("a clock of " + strconv.Quote(string(b)))
	}
	return time.Now().Round(0).Add(offset) // Round: the monotonic reading would not jump
}
