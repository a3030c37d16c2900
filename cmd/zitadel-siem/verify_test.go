package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// recordedSpan are flags for the whole recorded log, which ends before its last day.
func recordedSpan() (from, to string) {
	events := zitadeltest.RecordedEvents(time.Time{})
	first, last := events[0].CreatedAt, events[0].CreatedAt
	for _, e := range events {
		if e.CreatedAt.Before(first) {
			first = e.CreatedAt
		}
		if e.CreatedAt.After(last) {
			last = e.CreatedAt
		}
	}
	return first.UTC().Format(time.RFC3339Nano), last.Add(time.Second).UTC().Format(time.RFC3339Nano)
}

// manyProcesses skips a table with one process a case under the race detector, where the start of
// each takes a second of processor time. internal/verify runs the comparison under it.
func manyProcesses(t *testing.T) {
	t.Helper()
	if testkit.Race {
		t.Skip("one process a case: runs without the race detector")
	}
}

// verified runs verify on the whole recorded log.
func verified(t *testing.T, server *zitadeltest.Server, records string, more ...string) result {
	t.Helper()
	from, to := recordedSpan()
	args := append([]string{"verify", "--from", from, "--to", to, "--records", records}, more...)
	return finish(t, program(t, environment(server), args...))
}

func pulled(t *testing.T, server *zitadeltest.Server, args ...string) string {
	t.Helper()
	got := finish(t, program(t, environment(server), append([]string{"pull", "--once"}, args...)...))
	if got.status != 0 {
		t.Fatal(got)
	}
	return got.stdout
}

// What pull wrote is complete and equal, in each format, with names and pseudonyms.
func TestVerifyFindsNothingInWhatPullWrote(t *testing.T) {
	manyProcesses(t)
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	key := writeFile(t, "key", strings.Repeat("0123456789abcdef", 4))
	for _, c := range []struct {
		name   string
		pull   []string
		verify []string
	}{
		{"raw", nil, nil},
		{"ecs, all tiers, without names", []string{"--format", "ecs", "--tier", "noise", "--enrich", "off"}, []string{"--tier", "noise"}},
		{"ecs with the original", []string{"--format", "ecs", "--keep-original", "on"}, nil},
		{"ocsf 1.9.0 with the original", []string{"--format", "ocsf", "--ocsf-version", "1.9.0", "--keep-original", "on"}, nil},
		{"pseudonyms", []string{"--format", "ecs", "--pseudonyms", "on", "--pseudonyms-key-file", key}, []string{"--pseudonyms", "on", "--pseudonyms-key-file", key}},
		{"filters", []string{"--aggregate-types", "user", "--exclude-event-types", "user.token.added"}, []string{"--aggregate-types", "user", "--exclude-event-types", "user.token.added"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			copied := pulled(t, server, c.pull...)
			got := verified(t, server, writeFile(t, "records", copied), c.verify...)
			if got.status != 0 || !strings.Contains(got.stdout, "The copy is complete") {
				t.Errorf("%v\n%s", got, got.stdout)
			}
		})
	}
}

// The exports of SIEMs wrap the record, order its keys as they like and add fields.
func TestVerifyReadsTheExportsOfSIEMs(t *testing.T) {
	manyProcesses(t)
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	raw, ecs := pulled(t, server), pulled(t, server, "--format", "ecs")
	wrap := func(text string, f func(i int, line string) string) string {
		var b strings.Builder
		for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
			b.WriteString(f(i, line) + "\n")
		}
		return b.String()
	}
	hits := func(i int, line string) string {
		return fmt.Sprintf(`{"_index": "zitadel-2026", "_id": "x%d", "_score": null, "_source": %s, "sort":[%d]}`, i, strings.Replace(line, `{"@timestamp"`, `{"tags":["a"],"event.ingested":"2026-01-01T00:00:00Z","agent":{"name":"fluent"},"@timestamp"`, 1), i)
	}
	var compressed bytes.Buffer
	z := gzip.NewWriter(&compressed)
	if _, err := z.Write([]byte(wrap(raw, func(_ int, line string) string { return `{"date": 1790000000.5, ` + line[1:] }))); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"elasticsearch, a document a line": wrap(ecs, hits),
		"elasticsearch, an answer":         `{"took":3,"hits":{"total":{"value":1},"hits":[` + strings.ReplaceAll(strings.TrimSuffix(wrap(ecs, hits), "\n"), "\n", ",") + `]}}`,
		"elasticsearch, pretty":            "{\n\"took\":3,\n\"hits\":{\"hits\":[\n" + strings.ReplaceAll(strings.TrimSuffix(wrap(ecs, hits), "\n"), "\n", ",\n") + "]}}\n",
		"a list":                           "[\n" + strings.ReplaceAll(strings.TrimSuffix(raw, "\n"), "\n", ",\n") + "\n]\n",
		"splunk": wrap(ecs, func(i int, line string) string {
			return fmt.Sprintf(`{"preview":false,"offset":%d,"result":{"_raw":%s,"_time":"1","host":"h","event.id":"x"}}`, i, strconv.Quote(line))
		}),
		"loki": wrap(raw, func(_ int, line string) string {
			return fmt.Sprintf(`{"labels":{"job":"zitadel"},"line":%s,"timestamp":"2026-11-22T09:24:30Z"}`, quoteJSON(strings.Replace(line, `"instance":"test",`, "", 1)))
		}),
		"loki, an answer": `{"status":"success","data":{"resultType":"streams","result":[{"stream":{},"values":[` + strings.ReplaceAll(strings.TrimSuffix(wrap(raw, func(_ int, line string) string { return `["1",` + quoteJSON(line) + `]` }), "\n"), "\n", ",") + `]}]}}`,
		"s3, compressed":  compressed.String(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := verified(t, server, writeFile(t, "records", text)); got.status != 0 {
				t.Errorf("%v\n%s", got, got.stdout)
			}
		})
	}
}

func quoteJSON(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// Each difference is found, with its id and, of a change, the field and never the value.
func TestVerifyFindsWhatIsMissingForeignDoubledAndAltered(t *testing.T) {
	manyProcesses(t)
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	raw, ecs, ocsf := pulled(t, server), pulled(t, server, "--format", "ecs"), pulled(t, server, "--format", "ocsf")
	lineWith := func(text, has string) (lines []string, at int) {
		lines = strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		for i, l := range lines {
			if strings.Contains(l, has) {
				return lines, i
			}
		}
		t.Fatalf("no line has %q", has)
		return nil, 0
	}
	change := func(text, has, old, new string) string {
		lines, i := lineWith(text, has)
		if !strings.Contains(lines[i], old) {
			t.Fatalf("%q is not in %s", old, lines[i])
		}
		lines[i] = strings.Replace(lines[i], old, new, 1)
		return strings.Join(lines, "\n")
	}
	lines := strings.Split(strings.TrimSuffix(raw, "\n"), "\n")
	idOf := func(line string) string { return gjson.Get(line, "event.id").Str }
	userName := func(text, path string) string {
		lines, i := lineWith(text, `"user.human.added"`)
		name := gjson.Get(lines[i], path).Str
		if name == "" {
			t.Fatalf("%s is empty in %s", path, lines[i])
		}
		return `"` + name + `"`
	}
	for _, c := range []struct {
		name, text string
		says       []string
	}{
		{"dropped, doubled and foreign", strings.Join(lines[1:], "\n") + "\n" + lines[7] + "\n" + strings.Replace(lines[7], idOf(lines[7]), "test/user/999/1", 1),
			[]string{"missing:             1 ", idOf(lines[0]), "doubled:             1 ", idOf(lines[7]), "foreign:             1 ", "test/user/999/1"}},
		{"a payload", change(raw, `"user.human.added"`, `"userName":`+userName(raw, "payload.userName"), `"userName":"mallory"`), []string{"altered:             1 ", "fields payload.userName"}},
		{"a payload with more", change(raw, `"user.human.added"`, `"payload":{`, `"payload":{"admin":true,`), []string{"altered:             1 ", "fields payload.admin"}},
		{"a key twice", change(raw, `"user.human.added"`, `"userName":`, `"userName":"mallory","userName":`), []string{"altered:             1 ", "fields payload.userName"}},
		{"a type", change(raw, `"user.human.added"`, `"user.human.added"`, `"user.human.removed"`), []string{"altered:             1 ", "fields event.type"}},
		{"a name in ecs", change(ecs, `"user.human.added"`, userName(ecs, "user.target.name"), `"mallory"`), []string{"altered:             1 ", "user.target.name"}},
		{"an outcome in ecs", change(ecs, `"user.human.password.check.failed"`, `"outcome":"failure"`, `"outcome":"success"`), []string{"altered:             1 ", "fields event.outcome", "another version"}},
		{"a time in ecs", change(ecs, `"user.human.added"`, `{"@timestamp":"2026`, `{"@timestamp":"2025`), []string{"altered:             1 ", "fields @timestamp"}},
		{"a name in ocsf", change(ocsf, `"user.human.added"`, userName(ocsf, "user.name"), `"mallory"`), []string{"altered:             1 ", "user.name"}},
		{"a cut line", raw + `{"event":{"id":"te`, []string{"broken:              1 ", "records:2882", "no JSON, or cut"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := verified(t, server, writeFile(t, "records", c.text))
			if got.status != 1 || strings.Contains(got.stdout, "mallory") {
				t.Errorf("%v\n%s", got, got.stdout)
			}
			for _, text := range c.says {
				if !strings.Contains(got.stdout, text) {
					t.Errorf("%q is missing: %s", text, got.stdout)
				}
			}
		})
	}
}

// Law 2: repair emits what is missing with the same ids, and a second run finds nothing.
func TestVerifyRepairsWhatIsMissing(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	for _, format := range []string{"raw", "ocsf"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			lines := strings.SplitAfter(pulled(t, server, "--format", format), "\n")
			kept := strings.Join(lines[:100], "") + strings.Join(lines[900:], "")
			got := verified(t, server, writeFile(t, "records", kept), "--repair")
			if got.status != 1 || strings.Count(got.stdout, "\n") != 800 || !strings.Contains(got.stderr, "repaired:            800 ") {
				t.Fatalf("%v: %d lines", got, strings.Count(got.stdout, "\n"))
			}
			if again := verified(t, server, writeFile(t, "records", kept+got.stdout)); again.status != 0 {
				t.Errorf("%v\n%s", again, again.stdout)
			}
		})
	}
}

// Retention, filters, the tier and redaction are no differences.
func TestVerifySaysWhatItCannotVerify(t *testing.T) {
	t.Parallel()
	store := zitadeltest.NewStore()
	events := zitadeltest.RecordedEvents(time.Now().Add(-time.Minute))
	store.Append(events...)
	server := zitadeltest.Serve(t, store, zitadeltest.Options{})
	raw, ecs := pulled(t, server), pulled(t, server, "--format", "ecs", "--tier", "noise")
	clear := pulled(t, server, "--redact", "off")
	from, to := events[0].CreatedAt.Add(-time.Hour).Format(time.RFC3339), time.Now().Add(-20*time.Second).Format(time.RFC3339)
	run := func(records string, more ...string) result {
		return finish(t, program(t, environment(server), append([]string{"verify", "--from", from, "--to", to, "--records", writeFile(t, "records", records)}, more...)...))
	}
	for _, c := range []struct {
		name, records string
		args          []string
		says          string
	}{
		{"filter", raw, []string{"--aggregate-types", "user"}, "of events that the options leave out"},
		{"filter by who did it", strings.Join(strings.SplitAfter(raw, "\n")[:200], ""), []string{"--editor-user-ids", "nobody"}, "of events that the options leave out"},
		{"tier", ecs, []string{"--tier", "core"}, "of events that the options leave out"},
		{"redaction", clear, []string{"--accept-redacted"}, "values that only one side redacts"},
		{"redaction off on both sides", clear, []string{"--redact", "off"}, "The copy is complete, and it is"},
	} {
		if got := run(c.records, c.args...); got.status != 0 || !strings.Contains(got.stdout, c.says) {
			t.Errorf("%s: %v\n%s", c.name, got, got.stdout)
		}
	}
	middle := events[len(events)/2].CreatedAt
	server.Update(func(f *zitadeltest.Faults) { f.Retention = time.Since(middle) })
	if got := run(raw); got.status != 0 || !strings.Contains(got.stdout, "older than what ZITADEL shows") {
		t.Errorf("retention: %v\n%s", got, got.stdout)
	}
}

// A late commit is in the copy, and in ZITADEL only after verify has read it: no forgery.
func TestVerifyKnowsALateCommit(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	raw := pulled(t, server)
	from, to := recordedSpan()
	// Standard input is read after ZITADEL was: the event appears in between.
	before := server.Count("ListEvents").Events
	cmd := program(t, environment(server), "verify", "--from", from, "--to", to, "--records", "-")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(raw, "\n")
	if _, err := in.Write([]byte(strings.Join(lines[:200], ""))); err != nil { // more than it needs to know the format
		t.Fatal(err)
	}
	testkit.Until(t, "verify to read ZITADEL", func() bool { return server.Count("ListEvents").Events >= before+recordedEvents })
	late := zitadeltest.RecordedEvents(time.Time{})[1500]
	late.AggregateID, late.Sequence = "700000000000000001", 0
	server.Store().Append(late)
	record := ""
	for line := range strings.Lines(pulled(t, server)) {
		if strings.Contains(line, "700000000000000001/1") {
			record = line
		}
	}
	if _, err := in.Write([]byte(strings.Join(lines[200:], "") + record)); err != nil || record == "" {
		t.Fatal(err, record)
	}
	in.Close()
	if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), "became visible while this ran") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// Ctrl-C ends a run also while it waits for a pipe, and what was interrupted is no success.
func TestAnInterruptedVerifyIsNotVerified(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	raw := pulled(t, server)
	from, to := recordedSpan()
	report := filepath.Join(t.TempDir(), "report.json")
	before := server.Count("ListEvents").Events
	cmd := program(t, environment(server), "verify", "--from", from, "--to", to, "--records", "-", "--report", report)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte(raw)); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "verify to read ZITADEL", func() bool { return server.Count("ListEvents").Events >= before+recordedEvents })
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the pipe is still open
	if status := cmd.ProcessState.ExitCode(); status != 2 || !strings.Contains(log.String(), "not verified: interrupted") || out.Len() > 0 {
		t.Errorf("status %d: %s%s", status, log.String(), out.String())
	}
	if verdict := gjson.Get(readFile(t, report), "verdict").Str; verdict != "not verified" {
		t.Error(verdict)
	}
}

// What could not be verified is no success and no difference: exit status 2, and what to do.
func TestVerifySaysWhyItCannotVerify(t *testing.T) {
	manyProcesses(t)
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	raw := pulled(t, server)
	good := writeFile(t, "records", raw)
	from, to := recordedSpan()
	for _, c := range []struct {
		name string
		args []string
		says string
	}{
		{"no date", []string{"--from", "monday", "--to", to, "--records", good}, "write 2026-10-01"},
		{"an empty span", []string{"--from", to, "--to", from, "--records", good}, "is not after --from"},
		{"a span that goes on", []string{"--from", from, "--to", time.Now().Add(time.Hour).Format(time.RFC3339Nano), "--records", good}, "younger than settle and overlap"},
		{"no file", []string{"--from", from, "--to", to, "--records", "/nowhere"}, "no such file"},
		{"no records", []string{"--from", from, "--to", to, "--records", writeFile(t, "x", "{\"a\":1}\n")}, "--id-path"},
		{"a wrong path", []string{"--from", from, "--to", to, "--records", good, "--id-path", "a.b"}, `an id at "a.b"`},
		{"another format", []string{"--from", from, "--to", to, "--records", good, "--format", "ecs"}, "in the format raw"},
		{"another instance", []string{"--from", from, "--to", to, "--records", good, "--instance", "prod"}, "--instance"},
		{"a damaged archive", []string{"--from", from, "--to", to, "--records", writeFile(t, "x.gz", "\x1f\x8bnothing")}, "gzip"},
		{"a wrong token", []string{"--from", from, "--to", to, "--records", good}, "the token is wrong"},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := environment(server)
			if c.name == "a wrong token" {
				env = append(env, "ZITADEL_TOKEN=wrong-token-0123456789")
			}
			got := finish(t, program(t, env, append([]string{"verify"}, c.args...)...))
			if got.status != 2 || !strings.Contains(got.stderr, c.says) || strings.Contains(got.stdout, "complete") {
				t.Errorf("want status 2 and %q: %v\n%s", c.says, got, got.stdout)
			}
		})
	}
}

func TestVerifyComparesIDsWhereTheFieldsHaveOtherNames(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	var b strings.Builder
	for line := range strings.Lines(pulled(t, server)) {
		fmt.Fprintf(&b, `{"AuditId":%q}`+"\n", gjson.Get(line, "event.id").Str)
	}
	got := verified(t, server, writeFile(t, "records", b.String()), "--id-path", "AuditId")
	if got.status != 0 || !strings.Contains(got.stdout, "only the ids were compared") {
		t.Errorf("%v\n%s", got, got.stdout)
	}
}

func TestVerifyWritesReportsForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	lines := strings.SplitAfter(pulled(t, server), "\n")
	dir := t.TempDir()
	for _, name := range []string{"report.json", "report.html"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("of an earlier run"), 0o644); err != nil {
			t.Fatal(err)
		}
		forged := strings.Replace(lines[3], gjson.Get(lines[3], "event.id").Str, "test/user/<script>alert(1)</script>/1", 1)
		got := verified(t, server, writeFile(t, "records", strings.Join(lines[1:], "")+forged), "--report", path)
		text := readFile(t, path)
		info, err := os.Stat(path)
		if got.status != 1 || err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", got, info.Mode())
		}
		if name == "report.json" {
			r := gjson.Parse(text)
			if r.Get("verdict").Str != "differs" || r.Get("missing.count").Int() != 1 || r.Get("missing.list.0.id").Str != gjson.Get(lines[0], "event.id").Str || r.Get("files.0.sha256").Str == "" || r.Get("foreign.count").Int() != 1 {
				t.Error(text)
			}
		} else if strings.Contains(text, "<script>") || !strings.Contains(text, "&lt;script&gt;") || !strings.Contains(text, "The copy differs") {
			t.Error(text)
		}
	}
}

// Law 1: over --forward, a missing event counts as repaired once the receiver has it.
func TestVerifyRepairsByForward(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	lines := strings.SplitAfter(pulled(t, server), "\n")
	far := forwardtest.Start(t, forwardtest.Options{})
	got := verified(t, server, writeFile(t, "records", strings.Join(lines[700:], "")), "--repair", "--forward", far.Forward().String(), "--max-chunk-records", "100")
	if got.status != 1 || got.stdout != "" || !strings.Contains(got.stderr, "repaired:            700 ") {
		t.Error(got)
	}
	wantEachOnce(t, forwarded(far)+strings.Join(lines[700:], ""))
	chunks := map[string]int{}
	for _, m := range far.Messages() {
		chunks[m.Tag] += len(m.Records)
	}
	for tag, records := range chunks {
		if records > 100 || !strings.HasPrefix(tag, "zitadel.") {
			t.Errorf("%d records in the chunk %s", records, tag)
		}
	}
}
