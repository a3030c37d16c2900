//go:build !windows

package main

import (
	"os"
	"syscall"
)

// reloadSignals make pull read its sources again.
var reloadSignals = []os.Signal{syscall.SIGHUP}
