//go:build !windows

package forward

import (
	"errors"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// quiet reports whether an idle connection is open and has no data to read. Data between
// two messages is the end of the connection, or belongs to no message.
func (c *conn) quiet() bool {
	socket, ok := c.raw.(syscall.Conn)
	if !ok {
		return false
	}
	control, err := socket.SyscallConn()
	if err != nil || c.SetReadDeadline(time.Time{}) != nil { // the last deadline may have passed
		return false
	}
	var room [1]byte
	var peeked error
	err = control.Read(func(fd uintptr) bool {
		_, _, peeked = unix.Recvfrom(int(fd), room[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return true
	})
	return err == nil && (errors.Is(peeked, unix.EAGAIN) || errors.Is(peeked, unix.EINTR))
}
