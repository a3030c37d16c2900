package output

import (
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// listensHere reports whether the receiver at f is this very process. Its engine
// cannot answer while it waits for the answer, but it reads what was sent once nobody
// waits any more: each further try would add a copy of the records.
//
// /proc/self/fd tells the sockets of this process. Where it cannot be read, the answer
// is false.
func listensHere(f config.Forward) bool {
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, entry := range fds {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		// Only a socket has this option, and only one that listens has it on (socket(7)).
		if on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || on == 0 {
			continue
		}
		at, err := unix.Getsockname(fd)
		if err != nil {
			continue
		}
		switch at := at.(type) {
		case *unix.SockaddrUnix:
			if f.IsSocket(at.Name) {
				return true
			}
		case *unix.SockaddrInet4:
			if f.LeadsTo(netip.AddrFrom4(at.Addr).String(), at.Port) {
				return true
			}
		case *unix.SockaddrInet6:
			if f.LeadsTo(netip.AddrFrom16(at.Addr).String(), at.Port) {
				return true
			}
		}
	}
	return false
}
