//go:build !windows

package durable

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// NoFollow is a flag for [os.OpenFile]: a symbolic link is an error, so that nobody
// can lead a writer to another file.
const NoFollow = unix.O_NOFOLLOW

// ReplacesOpenFiles says whether a file can be replaced while it is open.
const ReplacesOpenFiles = true

// SyncDir makes names durable that were created, renamed or removed in a
// directory.
func SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
