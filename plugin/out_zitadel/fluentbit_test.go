package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
	"github.com/zitadel-siem/zitadel-siem/parser"
	"github.com/zitadel-siem/zitadel-siem/plugin/plugintest"
)

// write appends lines to the file that Fluent Bit tails.
func write(t *testing.T, f *plugintest.FluentBit, lines []string) {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(f.Dir, "zitadel.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(strings.Join(lines, "\n") + "\n"); err != nil {
		t.Fatal(err)
	}
}

// records returns the records in an output file. A kill can cut a line that the
// output is writing; Fluent Bit writes the whole chunk again after it, beginning
// on the same line.
func records(t *testing.T, f *plugintest.FluentBit) []string {
	t.Helper()
	lines := f.Lines("records")
	for i, line := range lines {
		lines[i] = line[max(0, strings.LastIndex(line, `{"event":{"type":`)):]
	}
	return eventsOfJSON(t, lines)
}

// waitFor waits until every one of the lines has its record, and returns how many
// records there are besides.
func waitFor(t *testing.T, f *plugintest.FluentBit, lines []string) (repeats int) {
	t.Helper()
	want := expected(lines, parser.AllKinds)
	f.Until("a record of every line", func() bool {
		got := map[string]int{}
		events := records(t, f)
		for _, event := range events {
			got[event]++
		}
		for event, n := range want {
			if got[event] < n {
				return false
			}
		}
		for event := range got {
			if want[event] == 0 {
				t.Fatalf("a record that belongs to no line: %s", event)
			}
		}
		repeats = len(events) - len(lines)
		return true
	})
	return repeats
}

func TestFluentBit_EveryLineOnce(t *testing.T) {
	t.Parallel()
	lines := recorded(t)
	f := plugintest.StartFluentBit(t, "fluent-bit.yaml", []string{"PORT=" + testkit.FreePort(t)}, "out_zitadel")
	write(t, f, lines[:1000])
	waitFor(t, f, lines[:1000])
	write(t, f, lines[1000:])
	waitFor(t, f, lines)
	if d := f.Stop(); d > 6*time.Second {
		t.Errorf("the end took %v", d)
	}
	wantOnce(t, lines, records(t, f))
	if line := f.Lines("records")[0]; !strings.Contains(line, `/zitadel.log"`) {
		t.Errorf("the file's name is lost: %s", line)
	}
	if log := f.Log.String(); strings.Contains(log, "[ warn] [output:zitadel") || !strings.Contains(log, "stopped records=") {
		t.Error("warnings, or no end")
	}
}

func TestFluentBit_ReceiverAwayThenBack(t *testing.T) {
	t.Parallel()
	lines := recorded(t)
	socket := filepath.Join(t.TempDir(), "s")
	sender := plugintest.StartFluentBit(t, "to-aggregator.yaml", []string{"SOCKET=" + socket}, "out_zitadel")
	write(t, sender, lines[:500])
	sender.Until("the first failure", func() bool { return strings.Contains(sender.Log.String(), "no such socket") })
	receiver := plugintest.StartFluentBit(t, "aggregator.yaml", []string{"SOCKET=" + socket})
	waitFor(t, receiver, lines[:500])
	sender.Until("the end of the trouble", func() bool { return strings.Contains(sender.Log.String(), "acknowledged again") })

	receiver.Stop()
	write(t, sender, lines[500:])
	sender.Until("a failure again", func() bool {
		return strings.Count(sender.Log.String(), "no such socket")+strings.Count(sender.Log.String(), "connection refused") > 1
	})
	receiver.Start()
	waitFor(t, receiver, lines)
	sender.Stop()
	receiver.Stop()
	wantOnce(t, lines, records(t, receiver))
}

func TestFluentBit_KilledAndRestartedLosesNothing(t *testing.T) {
	t.Parallel()
	lines := recorded(t)
	f := plugintest.StartFluentBit(t, "fluent-bit.yaml", []string{"PORT=" + testkit.FreePort(t)}, "out_zitadel")
	const kills = 4
	for i := range kills {
		from, to := len(lines)*i/kills, len(lines)*(i+1)/kills
		before := len(f.Lines("records"))
		write(t, f, lines[from:to])
		f.Until("some more records", func() bool { return len(f.Lines("records")) > before })
		f.Kill()
		f.Start()
	}
	repeats := waitFor(t, f, lines)
	f.Stop()
	t.Logf("%d kills, %d lines, 0 lost, %d repeated", kills, len(lines), repeats)
}

func TestFluentBit_BothPluginsInOneProcess(t *testing.T) {
	t.Parallel()
	srv := zitadeltest.ServeRecorded(t, zitadeltest.Options{})
	store := srv.Store()
	lines := recorded(t)
	env := []string{"PORT=" + testkit.FreePort(t), "ZITADEL_URL=" + srv.URL(), "ZITADEL_TOKEN=" + srv.Token()}
	f := plugintest.StartFluentBit(t, "both-plugins.yaml", env, "in_zitadel", "out_zitadel")
	write(t, f, lines[:2000])
	waitFor(t, f, lines[:2000])
	f.Until("all events", func() bool { return len(f.Lines("events")) == store.Len() })

	write(t, f, lines[2000:])
	waitFor(t, f, lines)
	zitadeltest.NewWriter(store, 1, nil).Append(50)
	f.Until("the new events", func() bool { return len(f.Lines("events")) == store.Len() })
	f.Stop()
	wantOnce(t, lines, records(t, f))
}

func TestFluentBit_ReloadLosesNothing(t *testing.T) {
	t.Parallel()
	lines := recorded(t)
	socket := "SOCKET=" + filepath.Join(t.TempDir(), "s")
	receiver := plugintest.StartFluentBit(t, "aggregator.yaml", []string{socket})
	sender := plugintest.StartFluentBit(t, "to-aggregator.yaml", []string{socket}, "out_zitadel")
	write(t, sender, lines[:100])
	waitFor(t, receiver, lines[:100])
	repeats := 0
	for i := range 3 {
		from, to := max(100, len(lines)*i/3), len(lines)*(i+1)/3
		write(t, sender, lines[from:to])
		sender.Signal(syscall.SIGHUP)
		sender.Until("the old instance to stop", func() bool { return strings.Count(sender.Log.String(), "] stopped records=") > i })
		repeats = waitFor(t, receiver, lines[:to])
	}
	sender.Stop()
	receiver.Stop()
	t.Logf("3 reloads, %d lines, 0 lost, %d repeated", len(lines), repeats)
}

// A default that cannot work: Fluent Bit must live, and its user must know.
func TestFluentBit_OnTheEngine(t *testing.T) {
	t.Parallel()
	f := plugintest.StartFluentBit(t, "on-the-engine.yaml", []string{"PORT=" + testkit.FreePort(t)}, "out_zitadel")
	write(t, f, recorded(t)[:100])
	f.Until("the error", func() bool {
		return strings.Contains(f.Log.String(), "forward leads to this Fluent Bit itself")
	})
	f.Until("another try", func() bool { return strings.Count(f.Log.String(), "retry") > 1 })
	if d := f.Stop(); d > 10*time.Second {
		t.Errorf("the end took %v", d)
	}
	if lines := f.Lines("records"); len(lines) > 0 {
		t.Errorf("%d records arrived: %s", len(lines), lines[0])
	}
}
