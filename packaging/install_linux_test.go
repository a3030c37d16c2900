package packaging

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

const (
	configFile = "/etc/zitadel-siem/config.yaml"
	tokenFile  = "/etc/zitadel-siem/token"
	stateFile  = "/var/lib/zitadel-siem/zitadel.state"
	eventsFile = "/var/log/zitadel-siem/events.jsonl"
)

// What a newcomer does: install, make each mistake, correct it, get events, upgrade,
// remove, purge.
func TestDeb_FromInstallationToPurge(t *testing.T) {
	deb := pack(t)
	s := newSystem(t)
	if out := s.install(deb); !strings.Contains(out, "zitadel-siem is not started: it needs a URL and a token") {
		t.Errorf("dpkg says\n%s", out)
	}
	s.is("/etc/zitadel-siem", "drwxr-x--- root zitadel-siem")
	s.is(configFile, "-rw-r----- root zitadel-siem")
	s.is("/var/lib/zitadel-siem", "drwx------ zitadel-siem zitadel-siem")
	s.is("/var/log/zitadel-siem", "drwxr-x--- root adm")
	s.is(eventsFile, "-rw-r----- zitadel-siem adm")
	if s.exists("/etc/systemd/system/multi-user.target.wants/zitadel-siem.service") {
		t.Error("the package enables a service that has no configuration")
	}

	server := zitadeltest.ServeRecorded(t, zitadeltest.Options{})
	v := newService(s)
	mistakes(v, server)
	events := pulls(v, server)

	before := map[string]string{configFile: s.read(configFile), tokenFile: s.read(tokenFile), eventsFile: events}
	if out := s.install(deb); strings.Contains(out, "is not started") {
		t.Errorf("at an upgrade dpkg says\n%s", out)
	}
	stays(s, before)
	s.is(configFile, "-rw-r----- root zitadel-siem")
	p := v.start()
	testkit.Until(t, "another poll", func() bool { return server.Count("ListEvents").Calls > 0 })
	v.stop(p)
	if s.read(eventsFile) != events {
		t.Error("after an upgrade, events come again")
	}

	s.run("dpkg", "--no-triggers", "--remove", "zitadel-siem")
	if s.exists("/usr/bin/zitadel-siem") || s.exists("/usr/lib/systemd/system/zitadel-siem.service") || s.exists("/usr/lib/zitadel-siem") {
		t.Error("a removal leaves programs")
	}
	stays(s, before)
	s.is(stateFile, "-rw------- zitadel-siem zitadel-siem")

	s.run("dpkg", "--no-triggers", "--purge", "zitadel-siem")
	for _, path := range []string{"/etc/zitadel-siem", "/var/lib/zitadel-siem", "/var/log/zitadel-siem", "/etc/logrotate.d/zitadel-siem", "/usr/share/zitadel-siem", "/usr/share/doc/zitadel-siem"} {
		if s.exists(path) {
			t.Errorf("a purge leaves %s", path)
		}
	}
	s.run("getent", "passwd", "zitadel-siem") // stays, see postrm
}

// mistakes makes those of a newcomer, one after the other. The last of them is corrected.
func mistakes(v service, server *zitadeltest.Server) {
	v.fails("url: is set but empty", "https://zitadel.example.com", "token_file: ", "is empty", "sudo install -m 600 /dev/stdin /etc/zitadel-siem/token")

	config := v.read(configFile)
	set := func(url string) {
		// A free port for the metrics: 9464 may be taken on this machine.
		text := regexp.MustCompile(`(?m)^  - url:.*$`).ReplaceAllString(config, "  - url: "+url)
		text = strings.Replace(text, "127.0.0.1:9464", "127.0.0.1:0", 1)
		if err := os.WriteFile(v.path(configFile), []byte(text), 0o640); err != nil { // keeps its owner
			v.t.Fatal(err)
		}
	}
	set("zitadel.example.com")
	v.fails("url: ", "did you mean https://zitadel.example.com")

	set(server.URL())
	v.run("chmod", "600", configFile)
	v.fails("--config "+configFile, "cannot be read by this user", "make it readable")
	v.run("chmod", "640", configFile)
	v.fails("token_file: ", "is empty")

	v.write(tokenFile, "two words\n", 0o600)
	v.fails("token_file: ", "white space", tokenFile)

	v.write(tokenFile, server.Token()+"\n", 0o600)
	v.write(stateFile+".lock", "", 0o600) // root has run pull by hand
	v.ends("1", stateFile, "the file must belong to this user")
	v.run("rm", stateFile+".lock")

	v.write(tokenFile, "not-the-token-of-this-server\n", 0o600)
	logs(v, "Unauthenticated", "renew it in token_file "+tokenFile+" (then: sudo systemctl restart zitadel-siem)")

	closed := zitadeltest.NewServer(zitadeltest.NewStore(), zitadeltest.Options{})
	if err := closed.Start("127.0.0.1:0"); err != nil {
		v.t.Fatal(err)
	}
	url := closed.URL()
	closed.Close()
	set(url)
	logs(v, "connection refused")

	set(server.URL())
	v.write(tokenFile, server.Token()+"\n", 0o600)
}

// logs waits until the service says something; it keeps trying.
func logs(v service, want ...string) {
	v.t.Helper()
	p := v.start()
	for _, w := range want {
		testkit.Until(v.t, w, func() bool { return strings.Contains(p.Err.String(), w) })
	}
	v.stop(p)
	if n := len(v.read(eventsFile)); n != 0 {
		v.t.Errorf("%d bytes of events", n)
	}
}

// pulls runs the service until it has all events, and returns them.
func pulls(v service, server *zitadeltest.Server) string {
	v.t.Helper()
	p := v.start()
	testkit.Until(v.t, "all events", func() bool { return strings.Count(v.read(eventsFile), "\n") >= server.Store().Len() })
	for _, path := range []string{"cmdline", "environ"} {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.Pid(), path))
		if err != nil || strings.Contains(string(data), server.Token()) {
			v.t.Errorf("%s: %v, %q", path, err, data)
		}
	}
	healthy(v, p)
	v.stop(p)
	events := v.read(eventsFile)
	if n := strings.Count(events, "\n"); n != server.Store().Len() {
		v.t.Errorf("%d events, want %d", n, server.Store().Len())
	}
	if strings.Contains(p.Err.String()+events+v.read(stateFile), server.Token()) {
		v.t.Error("the token is in the log, in an event or in the state")
	}
	if strings.Contains(p.Err.String(), "can be read by others") {
		v.t.Errorf("it warns of the credential:\n%s", p.Err)
	}
	v.is(stateFile, "-rw------- zitadel-siem zitadel-siem")
	server.ResetCounts()
	return events
}

// healthy asks the address for metrics, which the log names.
func healthy(v service, p *testkit.Process) {
	v.t.Helper()
	m := regexp.MustCompile(`health=(\S+)`).FindStringSubmatch(p.Err.String())
	if m == nil {
		v.t.Fatalf("no metrics:\n%s", p.Err)
	}
	client := http.Client{Timeout: 10 * time.Second}
	answer, err := client.Get(m[1])
	if err != nil {
		v.t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusOK {
		v.t.Errorf("%s: %d %s", m[1], answer.StatusCode, body)
	}
}

func stays(s system, files map[string]string) {
	s.t.Helper()
	for path, content := range files {
		if s.read(path) != content {
			s.t.Errorf("%s has changed", path)
		}
	}
	if !s.exists(stateFile) {
		s.t.Error("the state is gone")
	}
}

// The scripts of the RPM, by rpm on this machine. There is no Red Hat here.
func TestRpm_InstallUpgradeAndRemove(t *testing.T) {
	path := packList(t, "rpm")
	output(t, "rpm", "--version")
	s := newSystem(t)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s.write("/tmp/zitadel-siem.rpm", string(data), 0o644)
	s.run("rpm", "--install", "--nodeps", "/tmp/zitadel-siem.rpm")
	s.is("/etc/zitadel-siem", "drwxr-x--- root zitadel-siem")
	s.is(configFile, "-rw-r----- root zitadel-siem")
	s.is("/var/lib/zitadel-siem", "drwx------ zitadel-siem zitadel-siem")
	s.is("/var/log/zitadel-siem", "drwxr-x--- root adm")
	s.is(eventsFile, "-rw-r----- zitadel-siem adm")

	config := s.read(configFile) + "# edited\n"
	s.write(configFile, config, 0o640)
	s.write(stateFile, "state", 0o600)
	s.run("rpm", "--upgrade", "--nodeps", "--replacepkgs", "/tmp/zitadel-siem.rpm")
	stays(s, map[string]string{configFile: config, stateFile: "state"})
	s.is(configFile, "-rw-r----- root zitadel-siem")

	s.run("rpm", "--erase", "zitadel-siem")
	stays(s, map[string]string{configFile + ".rpmsave": config, stateFile: "state"})
	if s.exists("/usr/bin/zitadel-siem") || s.exists("/usr/lib/zitadel-siem") || !s.exists(eventsFile) {
		t.Error("a removal leaves programs, or takes events")
	}
}
