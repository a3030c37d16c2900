//go:build receivers

package conf

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// kafka is a broker with the real protocol, over TLS and with SCRAM.
type kafka struct {
	t       *testing.T
	program string
	ca      string
	env     []string
	running *testkit.Process
}

func newKafka(t *testing.T) *kafka {
	t.Helper()
	k := &kafka{t: t, program: t.TempDir() + "/kafka"}
	build := exec.Command("go", "build", "-o", k.program, ".")
	build.Dir = "receivers/kafka"
	if out, err := build.CombinedOutput(); err != nil {
		if noProxy.Match(out) {
			t.Skipf("Kafka was NOT run: its modules cannot be downloaded: %.1000s", out)
		}
		t.Fatalf("%v: %s", err, out)
	}
	ca := testkit.NewAuthority(t)
	cert, key := ca.Issue(t, "127.0.0.1")
	k.ca = ca.File()
	k.env = []string{
		"KAFKA_PORT=" + testkit.FreePort(t), "KAFKA_DIR=" + t.TempDir(), "KAFKA_CA=" + k.ca, "KAFKA_CERT=" + cert, "KAFKA_KEY=" + key,
		"KAFKA_USER=siem", "KAFKA_PASSWORD=of the writer", "KAFKA_TOPIC=zitadel",
	}
	return k
}

func (k *kafka) command(name string) *exec.Cmd {
	cmd := exec.Command(k.program, name)
	cmd.Env = append(os.Environ(), k.env...)
	return cmd
}

func (k *kafka) start() {
	k.t.Helper()
	k.running = testkit.Start(k.t, k.command("broker"), nil)
	k.running.Until("the broker listens", func() bool { return strings.Contains(k.running.Out.String(), "listening") })
}

// records are the messages of the topic, by the user, and how many there are.
func (k *kafka) records() (got map[string]arrived, n int) {
	k.t.Helper()
	out, err := k.command("read").Output()
	if err != nil {
		return nil, 0
	}
	got = map[string]arrived{}
	for line := range strings.Lines(string(out)) {
		m, err := strictJSON([]byte(line))
		if err != nil {
			k.t.Error(err)
			continue
		}
		a := ecsArrived(m)
		got[a.user] = a
		n++
	}
	return got, n
}

// 300 of 300 awkward records arrive as they are, though the broker is away at first, dies in
// the middle with kill -9, and Fluent Bit is restarted. What is in the memory of Kafka's
// library when Fluent Bit itself is killed is lost: the head of kafka.yaml says so.
func TestKafka_TheRealProtocolGetsEveryAwkwardRecord(t *testing.T) {
	p := newPlace(t)
	if out, err := exec.Command(testkit.FluentBit(t), "-o", "kafka", "-h").CombinedOutput(); err != nil || !strings.Contains(string(out), "kafka output plugin") {
		t.Skip("Kafka was NOT run: this Fluent Bit was built without the output kafka")
	}
	k := newKafka(t)
	store := zitadeltest.NewStore()
	server := zitadeltest.Serve(t, store, zitadeltest.Options{})
	port := strings.TrimPrefix(k.env[0], "KAFKA_PORT=")
	p.change = append([]string{
		"https://zitadel.example.com", server.URL(), "kafka.example.com:9093", "127.0.0.1:" + port,
		"# rdkafka.ssl.ca.location: /etc/fluent-bit/ca.crt", "rdkafka.ssl.ca.location: " + k.ca,
	}, p.change...)
	p.write("token", server.Token())
	p.write(logFile("c0ffee01"), "")
	add := func(from, to int) {
		at := time.Now().Add(-time.Minute)
		for i := from; i < to; i++ {
			store.Append(awkwardEvent(i, at.Add(time.Duration(i)*time.Millisecond)))
		}
	}
	const third = awkwardEvents / 3

	add(0, third)
	first := p.run("kafka.yaml", "KAFKA_USER=siem", "KAFKA_PASSWORD=of the writer")
	first.Until("the broker is missed", func() bool {
		return strings.Contains(first.Err.String(), "Connection refused") || strings.Contains(first.Err.String(), "SASL mechanism")
	})
	if strings.Contains(first.Err.String(), "SASL mechanism") {
		t.Skip("Kafka was NOT run: this Fluent Bit was built without SASL (libsasl2)")
	}
	k.start()
	first.Until("the first third", func() bool { got, _ := k.records(); return len(got) == third })
	k.running.Kill()
	add(third, 2*third)
	first.Until("the broker is missed again", func() bool { return strings.Count(first.Err.String(), "Connection refused") > 1 })
	k.start()
	first.Until("the second third", func() bool { got, _ := k.records(); return len(got) == 2*third })
	first.Stop()

	add(2*third, awkwardEvents)
	second := p.run("kafka.yaml", "KAFKA_USER=siem", "KAFKA_PASSWORD=of the writer")
	second.Until("everything", func() bool { got, _ := k.records(); return len(got) == awkwardEvents })
	second.Stop()

	got, n := k.records()
	t.Logf("%d messages, %d records", n, len(got))
	for user, want := range wantedAwkward(strings.TrimPrefix(server.URL(), "http://"), awkwardEvents) {
		if got[user] != want {
			t.Errorf("user %s\n got %q\nwant %q", user, got[user], want)
		}
	}
	noSecrets(t, first.Out.String(), first.Err.String(), second.Err.String())
	for _, said := range []string{first.Err.String(), second.Err.String()} {
		if strings.Contains(said, "of the writer") {
			t.Error("the password is in the log")
		}
	}
}
