package output

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// listensHere reports whether the receiver at f is this very process. Its engine
// cannot answer while it waits for the answer, but it reads what was sent once nobody
// waits any more: each further try would add a copy of the records.
//
// /proc/net tells the inode of every listening socket (proc(5)), /proc/self/fd those
// that this process holds. Where neither can be read, the answer is false.
func listensHere(f config.Forward) bool {
	if !f.Local() {
		return false
	}
	tables, listens := []string{"tcp", "tcp6"}, func(fields [][]byte) bool { return false }
	if f.Network == "unix" {
		tables = []string{"unix"}
		// Num RefCount Protocol Flags Type St Inode Path
		listens = func(fields [][]byte) bool {
			return len(fields) == 8 && string(fields[7]) == f.Address && owns(fields[6])
		}
	} else if _, port, err := net.SplitHostPort(f.Address); err == nil {
		n, _ := strconv.Atoi(port)
		suffix := fmt.Sprintf(":%04X", n)
		// sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode ...; 0A is LISTEN
		listens = func(fields [][]byte) bool {
			return len(fields) >= 10 && bytes.HasSuffix(fields[1], []byte(suffix)) && string(fields[3]) == "0A" && owns(fields[9])
		}
	}
	for _, table := range tables {
		text, err := os.ReadFile("/proc/self/net/" + table)
		if err != nil {
			continue
		}
		for line := range bytes.Lines(text) {
			if listens(bytes.Fields(line)) {
				return true
			}
		}
	}
	return false
}

// owns reports whether this process has the socket with this inode open.
func owns(inode []byte) bool {
	fds, _ := filepath.Glob("/proc/self/fd/*")
	for _, fd := range fds {
		target, err := os.Readlink(fd)
		if n, ok := strings.CutPrefix(target, "socket:["); err == nil && ok && n == string(inode)+"]" {
			return true
		}
	}
	return false
}
