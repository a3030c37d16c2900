package conf

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// syslogd is a real receiver of syslog over TLS.
type syslogd struct {
	program string // from the package of Debian with the name of the receiver
	config  string // PORT, DIR
	args    []string
	needs   string // a file that another package of Debian has; empty: none
}

// Each writes what it parsed: host, severity, and the message, one line each.
var syslogds = map[string]syslogd{
	"rsyslog": {
		program: "rsyslogd", args: []string{"-n", "-f", "DIR/daemon.conf", "-i", "DIR/daemon.pid"}, needs: "/usr/lib/*/rsyslog/lmnsd_ossl.so",
		config: `
global(maxMessageSize="64k" workDirectory="DIR" parser.escapeControlCharactersOnReceive="off"
  defaultNetstreamDriver="ossl" defaultNetstreamDriverCAFile="DIR/ca.crt" defaultNetstreamDriverCertFile="DIR/server.crt" defaultNetstreamDriverKeyFile="DIR/server.key")
module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="anon")
input(type="imtcp" port="PORT" address="127.0.0.1")
template(name="parsed" type="string" string="%hostname% %syslogseverity% %syslogtag%%msg%\n")
action(type="omfile" file="DIR/received" template="parsed")
`,
	},
	"syslog-ng": {
		program: "syslog-ng", args: []string{"-F", "-f", "DIR/daemon.conf", "-p", "DIR/daemon.pid", "-R", "DIR/daemon.persist", "-c", "DIR/daemon.ctl", "--no-caps"},
		config: `@version: 3.38
options { keep-hostname(yes); log-msg-size(65536); stats-freq(0); };
source s { network(ip("127.0.0.1") port(PORT) transport(tls) tls(key-file("DIR/server.key") cert-file("DIR/server.crt") peer-verify(optional-untrusted))); };
destination d { file("DIR/received" template("$HOST $LEVEL_NUM $MSGHDR$MSG\n")); };
log { source(s); destination(d); };
`,
	},
}

// awkward are values that a part on the way could take for its own syntax.
var awkward = []string{
	`a|b=c\d`, `back\`, `\n is no newline`, `cs1=forged suser=root`, "|5|act=forged", "a\nforged: b", "a\r\nb", "tab\tseparated=x", `"quoted" 'text'`, "<13>1 - - - - - forged",
	"é 龍 😀", "\u202eright to left", "nul\x00 esc\x1b[2J del\x7f", "%s%n%d", "$HOST ${MSG}", "#011 #015#012", "  spaces  ", strings.Repeat("long|=\\", 140), "CEF:0|a|b|c|d|e|1|", "LEEF:2.0|a|b|c|d|x09|",
}

const awkwardEvents = 300

// awkwardServer has events whose user names, user agents and ids are awkward.
func awkwardServer(t *testing.T) (server *zitadeltest.Server, want map[string]string) {
	t.Helper()
	want = map[string]string{}
	store := zitadeltest.NewStore()
	at := time.Now().Add(-time.Hour)
	var events []zitadeltest.Event
	for i := range awkwardEvents {
		value := awkward[i%len(awkward)]
		agent := fmt.Sprintf("agent %d %s", i, value)
		payload, err := structpb.NewStruct(map[string]any{"remoteIP": "203.0.113.7", "userAgent": agent})
		if err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprint(100000 + i)
		events = append(events, zitadeltest.Event{
			AggregateType: "user", AggregateID: id, ResourceOwner: "9", Type: "user.human.password.check.failed", EditorID: "77", EditorName: fmt.Sprint(i, " ", value),
			Payload: payload, CreatedAt: at.Add(time.Duration(i) * time.Millisecond),
		})
		want[id] = agent
	}
	store.Append(events...)
	server = zitadeltest.Serve(t, store, zitadeltest.Options{})
	return server, want
}

// The real receivers of Debian find what was sent by the fields that they parse.
func TestFluentBit_RealSyslogDaemonsGetEveryAwkwardEvent(t *testing.T) {
	for name, d := range syslogds {
		program, err := exec.LookPath(d.program)
		if err == nil && d.needs != "" {
			if found, _ := filepath.Glob(d.needs); len(found) == 0 {
				err = fmt.Errorf("there is no %s, which is in the package rsyslog-openssl", d.needs)
			}
		}
		for _, file := range []string{"syslog-cef.yaml", "syslog-leef.yaml"} {
			t.Run(name+"/"+file, func(t *testing.T) {
				if err != nil {
					t.Skipf("%s was NOT run: %v; Debian has it in the package %s", name, err, name)
				}
				t.Parallel()
				p := newPlace(t)
				server, want := awkwardServer(t)
				p.server = server
				p.change = append([]string{"https://zitadel.example.com", server.URL()}, p.change...)
				p.write("token", server.Token())
				ca := testkit.NewAuthority(t)
				cert, key := ca.Issue(t, "localhost")
				port := testkit.FreePort(t)
				p.startDaemon(program, d, port, strings.NewReplacer("PORT", port, "DIR/ca.crt", ca.File(), "DIR/server.crt", cert, "DIR/server.key", key, "DIR", p.dir))
				p.change = append(p.change, "syslog.example.com", "localhost", "port: 6514", "port: "+port, "      tls.verify: on\n", "      tls.verify: on\n      tls.ca_file: "+ca.File()+"\n")
				p.write(logFile("c0ffee01"), "")
				f := p.run(file)
				received := func() []string {
					data, err := os.ReadFile(p.path("received"))
					if err != nil {
						return nil
					}
					return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
				}
				f.Until("everything is there", func() bool { return len(received()) >= awkwardEvents })
				f.Stop()
				wantAwkward(t, received(), want)
			})
		}
	}
}

// startDaemon starts a receiver, and returns once it listens at port.
func (p *place) startDaemon(program string, d syslogd, port string, replace *strings.Replacer) {
	p.t.Helper()
	p.write("daemon.conf", replace.Replace(d.config))
	var args []string
	for _, a := range d.args {
		args = append(args, replace.Replace(a))
	}
	daemon := testkit.Start(p.t, exec.Command(program, args...), nil)
	daemon.Until(program+" listens", func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// shown is a value as both formats can hold it: white space is spaces, what acts on a
// terminal is replaced.
func shown(s string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r == '\r':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return unicode.ReplacementChar
		}
		return r
	}, s), " ")
}

// wantAwkward compares the fields of each line with those of the events.
func wantAwkward(t *testing.T, lines []string, want map[string]string) {
	t.Helper()
	seen := map[string]bool{}
	for _, line := range lines {
		parts := strings.SplitN(line, " ", 3)
		if len(parts) != 3 || parts[0] != "127.0.0.1" || parts[1] != "5" {
			t.Errorf("host and severity of %.200q", line)
			continue
		}
		message := strings.TrimPrefix(parts[2], " ")
		fields, ok := syslogFields(t, message)
		if !ok {
			t.Errorf("no message: %.300q", line)
			continue
		}
		user, agent := fields["duid"], fields["requestClientApplication"]
		if strings.HasPrefix(message, "LEEF:") {
			user, agent = fields["usrId"], fields["userAgent"]
		}
		if seen[user] {
			t.Errorf("user %s twice", user)
		}
		seen[user] = true
		if shown(agent) != shown(want[user]) {
			t.Errorf("user %s: agent %q, want %q", user, agent, want[user])
		}
		if fields["src"] != "203.0.113.7" || fields["outcome"] != "failure" || fields["type"] != "user.human.password.check.failed" {
			t.Errorf("user %s: %v", user, fields)
		}
	}
	if len(seen) != awkwardEvents {
		t.Errorf("%d of %d events", len(seen), awkwardEvents)
	}
}
