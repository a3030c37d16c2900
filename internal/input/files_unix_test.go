//go:build unix

package input

import (
	"syscall"
	"testing"
)

// systemd gives a service a soft limit of 1024. Loading Go code raises it to the hard one,
// which Fluent Bit does not do itself.
func TestLaw2_TheSoftLimitOfFilesIsRaised(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if n := openFiles(); n != limit.Cur || n+1 < min(limit.Max, leastFiles) {
		t.Errorf("%d of %d files", n, limit.Max)
	}
}
