//go:build unix

package input

import "syscall"

// openFiles returns how many files this process may have open; 0: not known. Go's runtime has
// raised the soft limit to the hard one when the plugin was loaded.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return limit.Cur
}
