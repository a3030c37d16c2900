package flbconf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// recordedLines are lines that a real ZITADEL wrote, and how many records they make.
func recordedLines(t *testing.T) (text string, records int) {
	t.Helper()
	data, err := os.ReadFile("../../parser/testdata/recorded/001-ok-alice-0.stderr")
	if err != nil {
		t.Fatal(err)
	}
	p := parser.New(parser.Options{Kinds: parser.KindsOf("log", "run_started", "run_succeeded", "run_failed", "malformed")})
	var r parser.Record
	for line := range strings.Lines(string(data)) {
		if p.Parse([]byte(strings.TrimSuffix(line, "\n")), &r) {
			records++
		}
	}
	if records == 0 {
		t.Fatal("no record in them")
	}
	return string(data), records
}

// A filter multiline before our output holds the lines in memory: with the receiver
// away, they are gone after a restart.
func TestMultilineBeforeTheOutput(t *testing.T) {
	data, err := os.ReadFile("testdata/cases/multiline-before-output.conf")
	if err != nil {
		t.Fatal(err)
	}
	inMemory := string(data)
	for name, c := range map[string]lineTrial{
		"in memory": {inMemory, none},
		"on disk":   {strings.Replace(inMemory, "    name multiline\n", "    name multiline\n    emitter_storage.type filesystem\n", 1), all},
	} {
		t.Run(name, func(t *testing.T) {
			c.verdict(t)
			t.Parallel()
			program, plugin := testkit.FluentBit(t), testkit.Plugin(t, "out_zitadel")
			got, want := runLines(t, program, plugin, c.config)
			if c.real == none && got != 0 || c.real == all && got != want {
				t.Errorf("%d of %d records arrive, not %s", got, want, c.real)
			}
		})
	}
}

type lineTrial struct {
	config string
	real   reality
}

func (c lineTrial) verdict(t *testing.T) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.conf")
	if err := os.WriteFile(path, []byte(c.config), 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := Check(path, options())
	if err != nil {
		t.Fatal(err)
	}
	held := false
	for _, f := range report.Findings {
		held = held || f.What == "emitter_storage.type is not filesystem"
	}
	if held != (c.real == none) {
		t.Error(report.Findings)
	}
}

// runLines runs it with the receiver away, and again with the receiver there.
func runLines(t *testing.T, program, plugin, config string) (got, want int) {
	t.Helper()
	lines, want := recordedLines(t)
	w := newWorld(t, program, "", "x.conf", config)
	write := func(name, text string, flags int) {
		t.Helper()
		f, err := os.OpenFile(filepath.Join(w.dir, name), os.O_WRONLY|os.O_CREATE|flags, 0o600)
		if err == nil {
			_, err = f.WriteString(text)
		}
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	moved, err := os.ReadFile(w.config)
	if err != nil {
		t.Fatal(err)
	}
	write("x.conf", strings.Replace(string(moved), "127.0.0.1:19979", "127.0.0.1:"+w.sink.port, 1), os.O_TRUNC)
	write("D-plugins.conf", "[PLUGINS]\n    Path "+plugin+"\n", os.O_TRUNC)
	write("z.log", lines, os.O_TRUNC)
	if err := w.run(func() bool { return strings.Contains(w.log.String(), "refused") }); err != nil {
		t.Fatal(err)
	}
	receiver := forwardtest.Start(t, forwardtest.Options{Network: "tcp", Address: "127.0.0.1:" + w.sink.port})
	write("z.log", `time="2026-11-22T09:24:58Z" level=info msg="log record emitted" record="{the last one"`+"\n", os.O_APPEND)
	last := func(r forwardtest.Record) bool { // it tells no time
		event, _ := r.Body["event"].(map[string]any)
		return event["time"] == nil
	}
	count := func() (n int, ended bool) {
		for _, r := range receiver.Records() {
			if last(r) {
				ended = true
			} else {
				n++
			}
		}
		return n, ended
	}
	if err := w.run(func() bool { _, ended := count(); return ended }); err != nil {
		t.Fatal(err)
	}
	got, _ = count()
	return got, want
}
