package output

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// A receiver in this process is told from one in another, however its address is written.
func TestListensHereTellsOurOwnReceiver(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a dir")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	own := "127.0.0.1"
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if ip := a.(*net.IPNet).IP.To4(); ip != nil && !ip.IsLoopback() {
			own = ip.String()
		}
	}
	for _, at := range []struct {
		network, listen string
		to, not         []string // hosts or paths
	}{
		{"tcp4", "127.0.0.1", []string{"127.0.0.1", "localhost", "0.0.0.0"}, []string{"127.0.0.2", "192.0.2.1", "[::1]"}},
		{"tcp4", "127.0.0.2", []string{"127.0.0.2"}, []string{"127.0.0.1", "localhost", "0.0.0.0", "192.0.2.1"}},
		{"tcp4", "0.0.0.0", []string{"127.0.0.1", "127.0.0.2", "localhost", "0.0.0.0", own}, []string{"192.0.2.1", "[::1]"}},
		{"tcp6", "[::1]", []string{"[::1]", "localhost"}, []string{"127.0.0.1"}},
		{"tcp", "[::]", []string{"127.0.0.1", "[::1]", "localhost", "[::]", own}, []string{"192.0.2.1"}},
		{"unix", dir + "/f.sock", []string{dir + "/f.sock", dir + "/./f.sock", dir + "/../a dir/f.sock"}, []string{dir + "/g.sock", dir}},
	} {
		address := at.listen
		if at.network != "unix" {
			address += ":0"
		}
		l, err := net.Listen(at.network, address)
		if err != nil {
			t.Logf("%s: %v", address, err) // a machine without IPv6
			continue
		}
		forward := func(to string) config.Forward {
			if at.network == "unix" {
				return config.Forward{Network: "unix", Address: to}
			}
			_, port, _ := net.SplitHostPort(l.Addr().String())
			return config.Forward{Network: "tcp", Address: to + ":" + port, Host: strings.Trim(to, "[]")}
		}
		for _, to := range at.to {
			if !listensHere(forward(to)) {
				t.Errorf("our own listener at %s is not seen by %s", at.listen, to)
			}
		}
		for _, to := range at.not {
			if listensHere(forward(to)) {
				t.Errorf("%s is taken for our own listener at %s", to, at.listen)
			}
		}
		l.Close()
		if listensHere(forward(at.to[0])) {
			t.Errorf("%s: seen after it was closed", at.listen)
		}
	}
}

// The socket of another process is not ours.
func TestListensHereLeavesOtherProcessesAlone(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	other := exec.Command("sleep", "60")
	other.ExtraFiles = []*os.File{file}
	if err := other.Start(); err != nil {
		t.Skipf("no other process can be started here: %v", err)
	}
	t.Cleanup(func() { other.Process.Kill(); other.Wait() })
	f := config.Forward{Network: "tcp", Address: l.Addr().String(), Host: "127.0.0.1"}
	file.Close()
	l.Close()
	if listensHere(f) {
		t.Error("another process's listener is taken for ours")
	}
}
