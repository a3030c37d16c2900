//go:build !windows

package setup

import (
	"io/fs"
	"os"
	"syscall"
)

// chownLike gives f the owner and the group of another file.
func chownLike(f *os.File, other fs.FileInfo) error {
	owner, ok := other.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return f.Chown(int(owner.Uid), int(owner.Gid))
}
