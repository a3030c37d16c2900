package output

import (
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// listensHere reports whether this process itself listens at f. Then the engine waits for
// an acknowledgement that it would have to send itself. After the timeout it reads what was
// sent, so that each retry would add a copy of the records.
//
// The sockets are listed in /proc/self/fd. If it cannot be read, the result is false.
func listensHere(f config.Forward) bool {
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, entry := range fds {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		// Only listening sockets have this option on (socket(7)).
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
