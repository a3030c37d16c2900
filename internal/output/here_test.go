package output

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// A receiver in this process is told from one in another.
func TestListensHereTellsOurOwnReceiver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "forward.sock")
	for _, at := range []struct{ network, address string }{{"tcp", "127.0.0.1:0"}, {"tcp", "[::1]:0"}, {"tcp", "0.0.0.0:0"}, {"unix", path}} {
		l, err := net.Listen(at.network, at.address)
		if err != nil {
			t.Logf("%s: %v", at.address, err) // a machine without IPv6
			continue
		}
		f := config.Forward{Network: at.network, Address: l.Addr().String()}
		if at.network == "tcp" {
			_, port, _ := net.SplitHostPort(f.Address)
			f.Host, f.Address = "localhost", net.JoinHostPort("localhost", port)
		}
		if !listensHere(f) {
			t.Errorf("%s: our own listener is not seen", f)
		}
		l.Close()
		if listensHere(f) {
			t.Errorf("%s: seen after it was closed", f)
		}
	}
	far := config.Forward{Network: "tcp", Address: "192.0.2.1:24224", Host: "192.0.2.1"}
	if listensHere(far) {
		t.Error("an address elsewhere is taken for this process")
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
