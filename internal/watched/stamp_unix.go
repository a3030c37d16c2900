//go:build !windows

package watched

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Stamp is a text that differs when a file was replaced, written or removed, or
// when its owner or mode was changed.
func Stamp(path string) string {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "missing"
	}
	return fmt.Sprint(st.Dev, st.Ino, st.Size, st.Mtim, st.Ctim)
}
