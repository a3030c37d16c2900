package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// alertsOf splits what a command printed.
func alertsOf(t *testing.T, stdout string) (alerts, others []string) {
	t.Helper()
	for line := range strings.Lines(stdout) {
		if !gjson.Valid(line) {
			t.Fatalf("no JSON: %q", line)
		}
		if gjson.Get(line, "event.kind").Str == "alert" {
			alerts = append(alerts, line)
		} else {
			others = append(others, line)
		}
	}
	return alerts, others
}

func alertIDs(alerts []string) (ids []string) {
	for _, a := range alerts {
		ids = append(ids, gjson.Get(a, "event.id").Str)
	}
	slices.Sort(ids)
	return ids
}

// TestDetectAndPullDetectGiveTheSameAlerts: the stream through a pipe, in ECS and raw, and the
// same rules beside the stream in every order of pages.
func TestDetectAndPullDetectGiveTheSameAlerts(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	ecs := finish(t, program(t, environment(server), "pull", "--once", "--format", "ecs", "--tier", "noise", "--enrich", "off"))
	raw := finish(t, program(t, environment(server), "pull", "--once"))
	if ecs.status != 0 || raw.status != 0 {
		t.Fatal(ecs, raw)
	}
	var want []string
	for name, stdin := range map[string]string{"ecs": ecs.stdout, "raw": raw.stdout} {
		cmd := program(t, nil, "detect")
		cmd.Stdin = strings.NewReader(stdin)
		got := finish(t, cmd)
		alerts, others := alertsOf(t, got.stdout)
		if got.status != 0 || len(alerts) < 3 || len(others) > 0 {
			t.Fatalf("%s: %v", name, got)
		}
		if want == nil {
			want = alertIDs(alerts)
		}
		if ids := alertIDs(alerts); !slices.Equal(ids, want) {
			t.Errorf("%s: alerts %q, want %q", name, ids, want)
		}
	}
	for _, args := range [][]string{{"--format", "ecs"}, {"--format", "ecs", "--tier", "core", "--page-size", "100"}, {"--format", "raw"}} {
		got := finish(t, program(t, environment(server), append([]string{"pull", "--once", "--detect", "on"}, args...)...))
		alerts, others := alertsOf(t, got.stdout)
		if ids := alertIDs(alerts); got.status != 0 || len(others) == 0 || !slices.Equal(ids, want) {
			t.Errorf("%q: alerts %q, want %q; %d records, status %d %s", args, ids, want, len(others), got.status, got.stderr)
		}
	}
}

// TestAlertsInOCSFAreTheSameAlerts: of pull in its format, and of detect as asked.
func TestAlertsInOCSFAreTheSameAlerts(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	raw := finish(t, program(t, environment(server), "pull", "--once"))
	ecs := program(t, nil, "detect")
	ecs.Stdin = strings.NewReader(raw.stdout)
	alerts, _ := alertsOf(t, finish(t, ecs).stdout)
	want := alertIDs(alerts)
	detected := program(t, nil, "detect", "--format", "ocsf")
	detected.Stdin = strings.NewReader(raw.stdout)
	for name, run := range map[string]result{
		"detect": finish(t, detected),
		"pull":   finish(t, program(t, environment(server), "pull", "--once", "--format", "ocsf", "--detect", "on")),
	} {
		var ids []string
		for line := range strings.Lines(run.stdout) {
			if gjson.Get(line, "class_uid").Int() == 2004 && gjson.Get(line, "metadata.version").Str == "1.8.0" {
				ids = append(ids, gjson.Get(line, "metadata.uid").Str)
			}
		}
		slices.Sort(ids)
		if run.status != 0 || len(want) < 3 || !slices.Equal(ids, want) {
			t.Errorf("%s: %q, want %q; status %d %s", name, ids, want, run.status, run.stderr)
		}
	}
}

// TestAnAttackThatARestartInterruptsIsFound: half of the failures before, half after, in pull
// and in detect.
func TestAnAttackThatARestartInterruptsIsFound(t *testing.T) {
	t.Parallel()
	began := time.Now().Add(-time.Hour)
	var lines []string
	for i := range 12 {
		lines = append(lines, fmt.Sprintf(`{"@timestamp":%q,"event":{"id":"demo/user/1/%d","action":"user.human.password.check.failed","category":["authentication"]},"user":{"id":"1"}}`+"\n",
			began.Add(time.Duration(i)*time.Second).Format(time.RFC3339), i+1))
	}
	state := filepath.Join(t.TempDir(), "state")
	var all []string
	for _, part := range [][]string{lines[:6], lines[6:], lines[4:]} { // the last run repeats
		cmd := program(t, nil, "detect", "--state-path", state)
		cmd.Stdin = strings.NewReader(strings.Join(part, ""))
		got := finish(t, cmd)
		if got.status != 0 {
			t.Fatal(got)
		}
		alerts, _ := alertsOf(t, got.stdout)
		all = append(all, alerts...)
	}
	ids := alertIDs(all)
	if len(ids) != 2 || ids[0] != ids[1] {
		t.Errorf("alerts %q, want one that comes again with its id", ids)
	}
	info, err := os.Stat(state)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("state %v, %v", info, err)
	}

	server := startRecorded(t, zitadeltest.Options{})
	whole, _ := alertsOf(t, finish(t, program(t, environment(server), "pull", "--once", "--format", "ecs", "--detect", "on")).stdout)
	var parts []string
	env := environment(server, "ZITADEL_STATE_PATH="+filepath.Join(t.TempDir(), "state"))
	events := zitadeltest.RecordedEvents(time.Time{})
	for _, at := range []int{len(events) / 3, len(events) / 2, len(events) * 3 / 4, len(events) * 7 / 8} {
		got := finish(t, program(t, env, "pull", "--format", "ecs", "--detect", "on", "--end", events[at].CreatedAt.Format(time.RFC3339Nano)))
		alerts, _ := alertsOf(t, got.stdout)
		parts = append(parts, alerts...)
	}
	rest, _ := alertsOf(t, finish(t, program(t, env, "pull", "--once", "--format", "ecs", "--detect", "on")).stdout)
	if got, want := alertIDs(append(parts, rest...)), alertIDs(whole); len(want) < 3 || !slices.Equal(got, want) {
		t.Errorf("in parts %q, in one run %q", got, want)
	}
}

// TestAlertsGoToAFluentBitWithATagOfTheirOwn, from detect and from pull.
func TestAlertsGoToAFluentBitWithATagOfTheirOwn(t *testing.T) {
	server := startRecorded(t, zitadeltest.Options{})
	records := finish(t, program(t, environment(server), "pull", "--once", "--format", "ecs", "--tier", "noise"))
	lines, _ := alertsOf(t, finish(t, program(t, environment(server), "pull", "--once", "--format", "ecs", "--detect", "on")).stdout)
	want := alertIDs(lines)
	for _, command := range []string{"detect", "pull"} {
		far := forwardtest.Start(t, forwardtest.Options{})
		cmd := program(t, nil, "detect", "--forward", far.Forward().String())
		cmd.Stdin = strings.NewReader(records.stdout)
		if command == "pull" {
			cmd = program(t, environment(server), "pull", "--once", "--format", "ecs", "--detect", "on", "--forward", far.Forward().String(), "--state-path", filepath.Join(t.TempDir(), "state"))
		}
		if got := finish(t, cmd); got.status != 0 || got.stdout != "" {
			t.Fatal(command, got)
		}
		var ids []string
		for _, r := range far.Records() {
			event := r.Body["event"].(map[string]any)
			if event["kind"] != "alert" {
				continue
			}
			ids = append(ids, event["id"].(string))
			if rule := r.Body["rule"].(map[string]any); rule["id"] == "" || r.Body["zitadel"].(map[string]any)["alert"] == nil {
				t.Errorf("%s: %v", command, r.Body)
			}
		}
		if slices.Sort(ids); !slices.Equal(ids, want) {
			t.Errorf("%s: %d alerts, want %d", command, len(ids), len(want))
		}
		tagged := 0
		for _, m := range far.Messages() {
			if m.Tag == "zitadel.alert" {
				tagged++
			}
		}
		if tagged == 0 {
			t.Errorf("%s: no message has the tag zitadel.alert", command)
		}
	}
}

// TestAlertsOfTheReaderItselfNeedNoEvents: the heartbeat of a reader that is behind.
func TestAlertsOfTheReaderItselfNeedNoEvents(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rule := "title: Beats\nid: beats\nlevel: high\nlogsource: {product: zitadel, service: audit}\ndetection: {a: {event.action: heartbeat, zitadel.heartbeat.events|gte: 0}, condition: a}\n"
	if err := os.WriteFile(filepath.Join(dir, "beats.yml"), []byte(rule), 0o600); err != nil {
		t.Fatal(err)
	}
	server := startRecorded(t, zitadeltest.Options{})
	server.Stop()
	far := forwardtest.Start(t, forwardtest.Options{})
	cmd := program(t, environment(server), "pull", "--format", "ecs", "--heartbeat", "1s", "--detect", dir, "--forward", far.Forward().String(), "--state-path", filepath.Join(dir, "state"))
	listenTo(t, cmd)
	counted := false // in a heartbeat
	testkit.Until(t, "an alert", func() bool {
		if slices.ContainsFunc(far.Records(), func(r forwardtest.Record) bool {
			beat, _ := r.Body["zitadel"].(map[string]any)["heartbeat"].(map[string]any)
			n, ok := beat["alerts"]
			return ok && fmt.Sprint(n) != "0"
		}) {
			counted = true
		}
		return counted && slices.ContainsFunc(far.Messages(), func(m forwardtest.Message) bool { return m.Tag == "zitadel.alert" })
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
}

// TestTheStatePassesNoAlertThatWasNotDelivered: two attacks on one user while nothing can be
// written; the same records give both alerts afterwards.
func TestTheStatePassesNoAlertThatWasNotDelivered(t *testing.T) {
	t.Parallel()
	var lines strings.Builder
	began := time.Now().Add(-3 * time.Hour)
	for i := range 20 {
		fmt.Fprintf(&lines, `{"@timestamp":%q,"event":{"id":"demo/user/1/%d","action":"user.human.password.check.failed","category":["authentication"]},"user":{"id":"1"}}`+"\n",
			began.Add(time.Duration(i)*time.Second+time.Duration(i/10)*time.Hour).Format(time.RFC3339), i+1)
	}
	state := filepath.Join(t.TempDir(), "state")
	full := fullDevice(t)
	cmd := program(t, nil, "detect", "--state-path", state)
	cmd.Stdin, cmd.Stdout = strings.NewReader(lines.String()), full
	if err := cmd.Run(); err == nil {
		t.Fatal("a full device is no error")
	}
	cmd = program(t, nil, "detect", "--state-path", state)
	cmd.Stdin = strings.NewReader(lines.String())
	got := finish(t, cmd)
	if alerts, _ := alertsOf(t, got.stdout); len(alerts) != 2 {
		t.Errorf("%d alerts, want 2: %v", len(alerts), got)
	}
}

func TestDetectSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bad.yml"), []byte("title: T\nid: 1\nlogsource: {product: zitadel}\ndetection:\n  a: {f|base64: x}\n  condition: a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(dir, "foreign")
	if err := os.WriteFile(foreign, []byte("something else\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args  []string
		stdin string
		want  string
	}{
		{[]string{"--rules", dir}, "", `bad.yml:5: the modifier "base64" is not supported`},
		{[]string{"--rules", filepath.Join(dir, "none")}, "", "no such file or directory"},
		{[]string{"--state-path", foreign}, "", "is no state file of detections; give another path"},
		{nil, "CEF:0|ZITADEL|\n", "none of the lines is a record in ECS: write them with zitadel-siem pull --format ecs"},
		{[]string{"--min-level", "urgent"}, "", "--min-level must be one of"},
	} {
		cmd := program(t, nil, append([]string{"detect"}, c.args...)...)
		cmd.Stdin = strings.NewReader(c.stdin)
		got := finish(t, cmd)
		if got.status == 0 || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%q: status %d, %s\nwant %s", c.args, got.status, got.stderr, c.want)
		}
	}
	server := startRecorded(t, zitadeltest.Options{})
	got := finish(t, program(t, environment(server), "pull", "--once", "--detect", "on", "--format", "cef"))
	if got.status != exitUsage || !bytes.Contains([]byte(got.stderr), []byte("use ecs, ocsf or raw")) {
		t.Error(got)
	}
}
