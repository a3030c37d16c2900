package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// A unit of Type=notify counts as started once its settings are known to be valid.
func TestPull_TellsSystemdWhenItIsReadyAndWhenItStops(t *testing.T) {
	server := startRecorded(t, zitadeltest.Options{})
	dir := t.TempDir()
	address := filepath.Join(dir, "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	said := func() string {
		t.Helper()
		message := make([]byte, 1000)
		if err := socket.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := socket.Read(message)
		if err != nil {
			t.Fatal(err)
		}
		return string(message[:n])
	}
	cmd := program(t, environment(server, "NOTIFY_SOCKET="+address, "ZITADEL_STATE_PATH="+filepath.Join(dir, "state")), "pull")
	log := listenTo(t, cmd)
	if s := said(); s != "READY=1" {
		t.Errorf("it said %q", s)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if s := said(); s != "STOPPING=1" {
		t.Errorf("it said %q", s)
	}
	if err := cmd.Wait(); err != nil || strings.Contains(log.String(), "systemd") {
		t.Errorf("%v\n%s", err, log)
	}
}

func TestPull_WrongSettingsAreNeverReady(t *testing.T) {
	address := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	if r := finish(t, program(t, []string{"NOTIFY_SOCKET=" + address}, "pull")); r.status != exitUsage {
		t.Error(r)
	}
	if err := socket.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := socket.Read(make([]byte, 1000)); err == nil {
		t.Errorf("it said %d bytes", n)
	}
}
