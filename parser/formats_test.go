package parser_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// plainAttempt is a login without anything hostile.
func plainAttempt() *attempt {
	form := []header{{"loginName", []string{"alice"}}, {"password", []string{secretSign + "Passw0rd!x"}}, {"authRequestID", []string{"400712895614159910"}}}
	return &attempt{
		user: "alice", changed: time.Date(2026, 11, 22, 9, 24, 58, 49990376, time.UTC), app: "400712808473365542", peer: "127.0.0.1:41676",
		method: "POST", url: "/password", host: "localhost:18080", form: form, post: form, length: 186,
		headers: []header{
			{"Accept", []string{"*/*"}}, {"Cookie", []string{"zitadel.useragent=" + secretSign}},
			{"User-Agent", []string{"Mozilla/5.0 (X11; Linux x86_64)"}}, {"X-Forwarded-For", []string{"203.0.113.7, 10.0.0.1", "10.0.0.2"}},
		},
	}
}

// Every format of logrus, in every wrapping, tells the same of the same record,
// and as much of it is believed as the format's quoting allows.
func TestEveryFormatInEveryWrapping(t *testing.T) {
	t.Parallel()
	records := []struct {
		name string
		log  executionLog
		want parser.Record
	}{
		{"started", executionLog{Message: "action run started"}, parser.Record{Kind: parser.RunStarted}},
		{"succeeded", executionLog{Message: "action run succeeded", Took: 675908}, parser.Record{Kind: parser.RunSucceeded, Took: 675908}},
		{"failed", executionLog{Message: "action run failed: Error: \"a\nb\" at log (<eval>:3:7(3))", Took: 1, LogLevel: "error"}, parser.Record{Kind: parser.RunFailed, Took: 1, Error: "Error: \"a\nb\" at log (<eval>:3:7(3))"}},
		{"a script that says succeeded", executionLog{Message: "action run succeeded"}, parser.Record{Kind: parser.Log, Message: "action run succeeded"}},
		{"text", executionLog{Message: "a \"b\" \\ <c> & \x7f\u2028\U000e0001\x00 ü", LogLevel: "warning"}, parser.Record{Kind: parser.Log, Message: "a \"b\" \\ <c> & \x7f\u2028\U000e0001\x00 ü"}},
		{"official", executionLog{Message: plainAttempt().message()}, parser.Record{Kind: parser.Log, Format: parser.FormatOfficial, Login: plainAttempt().truth()}},
		{"with action id and metadata", executionLog{Message: "m", ActionID: "77", Metadata: map[string]any{"a": "b", "c": []int{1}, "d": map[string]any{"e": nil}}}, parser.Record{Kind: parser.Log, Message: "m", ActionID: "77"}},
	}
	for _, c := range records {
		for _, f := range formats {
			for _, w := range wrappings {
				log, want := c.log, c.want
				log.LogDate, log.InstanceID = logged, instance
				if log.LogLevel == "" {
					log.LogLevel = "info"
				}
				want.Time, want.Instance, want.Level, want.Trust = logged, instance, log.LogLevel, parser.TrustFull
				if !f.quoted {
					want.Trust, want.Login, want.Unverified = parser.TrustNone, parser.Login{}, want.Login
				}
				got := *parse(t, w.wrap(recordLine(f.formatter, log.record())))
				got.Unverified.AuthRequestID = ""
				if got.Trust == parser.TrustPartial && c.name == "official" {
					got.Trust = parser.TrustFull // for the client's auth request id alone
				}
				ignore := cmpopts.IgnoreUnexported(parser.Record{})
				if diff := cmp.Diff(want, got, ignore); diff != "" {
					t.Errorf("%s, %s, %s: -want +got\n%s", c.name, f.name, w.name, diff)
				}
			}
		}
	}
}

// What a script logs is told apart from what ZITADEL logs by the time that a
// run took, which no script can choose.
func TestScriptCannotEndARun(t *testing.T) {
	t.Parallel()
	for _, message := range []string{"action run succeeded", "action run failed: x", "action run failed", "action run succeeded "} {
		for _, f := range formats {
			r := parse(t, recordLine(f.formatter, executionLog{LogDate: logged, Message: message, LogLevel: "info", InstanceID: instance}.record()))
			if r.Kind != parser.Log {
				t.Errorf("%s: %q of a script is a %v", f.name, message, r.Kind)
			}
		}
	}
}

// Options: kinds that are not wanted are counted, and the label is the caller's.
func TestUnwantedKindsAreCounted(t *testing.T) {
	t.Parallel()
	p := parser.New(parser.Options{Instance: "prod"})
	want := parser.Counts{}
	for _, rec := range recordings(t) {
		for _, line := range rec.lines {
			var r parser.Record
			wanted := p.Parse(line, &r)
			kind := decodeReference(line).kind
			want[kind]++
			if wanted != parser.DefaultKinds.Has(kind) {
				t.Errorf("%v: wanted %v: %.100q", kind, wanted, line)
			}
			if wanted && r.Instance != "prod" {
				t.Errorf("instance %q", r.Instance)
			}
		}
	}
	if diff := cmp.Diff(want, p.Counts()); diff != "" {
		t.Errorf("counts: -want +got\n%s", diff)
	}
	if got := parser.KindsOf(parser.KindNames()...); got != parser.AllKinds {
		t.Errorf("KindsOf(KindNames()) is %b", got)
	}
}

// The strings of a record outlive the line and the parser's next one.
func TestRecordsKeepTheirStrings(t *testing.T) {
	t.Parallel()
	p := everything()
	var records []parser.Record
	var before []string
	for _, line := range recordedOfficial(t) {
		line = append([]byte(nil), line...)
		var r parser.Record
		p.Parse(line, &r)
		records, before = append(records, r), append(before, string(parser.AppendJSON(nil, &r)))
		for i := range line {
			line[i] = '#'
		}
	}
	for i := range records {
		if got := string(parser.AppendJSON(nil, &records[i])); got != before[i] {
			t.Errorf("record %d changed\nfrom %s\n  to %s", i, before[i], got)
		}
	}
}

// Lines that were split by the container's runtime are joined again, whatever the sizes.
func TestAssemblerJoinsWhatWasSplit(t *testing.T) {
	t.Parallel()
	line := string(recordLine(formats[0].formatter, executionLog{LogDate: logged, Message: plainAttempt().message(), LogLevel: "info", InstanceID: instance}.record()))
	want := string(parser.AppendJSON(nil, parse(t, []byte(line))))
	for _, size := range []int{1, 7, 16, 100, 1000, len(line) - 1, len(line), 16384} {
		for _, runtime := range []string{"CRI", "Docker"} {
			a := parser.NewAssembler()
			for rest := line; ; {
				part := rest[:min(size, len(rest))]
				rest = rest[len(part):]
				whole, ok := a.Add(splitPart(runtime, part, rest == ""))
				if ok != (rest == "") {
					t.Fatalf("%s, %d: a line after %q with %d bytes left", runtime, size, part, len(rest))
				}
				if !ok {
					if other, ok := a.Add([]byte("2026-11-22T09:24:58.001346628Z stdout F other")); !ok || !strings.Contains(string(other), "other") {
						t.Fatalf("%s: the other stream's line is kept back", runtime)
					}
					continue
				}
				if got := string(parser.AppendJSON(nil, parse(t, whole))); got != want {
					t.Errorf("%s, %d:\n got %s\nwant %s", runtime, size, got, want)
				}
				break
			}
		}
	}
}

// A part whose end never comes, of any length, takes no record of the log store with
// it: not in the same stream, and not where two containers are taken for one.
func TestLaw8_APartWithoutAnEndSwallowsNoRecord(t *testing.T) {
	t.Parallel()
	line := string(recordLine(formats[0].formatter, executionLog{LogDate: logged, Message: plainAttempt().message(), LogLevel: "info", InstanceID: instance}.record()))
	want := string(parser.AppendJSON(nil, parse(t, []byte(line))))
	for _, runtime := range []string{"CRI", "Docker"} {
		for _, size := range []int{1, 16384, parser.MaxLine, parser.MaxLine + 1, 3 * parser.MaxLine} {
			a := parser.NewAssembler()
			var got []string
			add := func(line []byte) {
				if whole, ok := a.Add(line); ok {
					got = append(got, string(whole))
				}
			}
			for left := size; left > 0; left -= 16384 {
				add(splitPart(runtime, strings.Repeat("x", min(left, 16384)), false))
			}
			add(splitPart(runtime, line, true))
			add(splitPart(runtime, "the end of the part", true))
			for rest, ok := a.Flush(); ok; rest, ok = a.Flush() {
				got = append(got, string(rest))
			}
			records := 0
			for _, line := range got {
				if len(line) > parser.MaxLine+16384 {
					t.Errorf("%s, %d: %d bytes are held", runtime, size, len(line))
				}
				if r := parse(t, []byte(line)); string(parser.AppendJSON(nil, r)) == want {
					records++
				}
			}
			if records != 1 || !strings.Contains(got[len(got)-1], "the end of the part") {
				t.Errorf("%s, %d: %d records in %d lines", runtime, size, records, len(got))
			}
		}
	}
}

func splitPart(runtime, part string, last bool) []byte {
	switch {
	case runtime == "Docker" && last:
		return docker([]byte(part), true)
	case runtime == "Docker":
		return []byte(strings.Replace(string(docker([]byte(part), true)), `\n","stream"`, `","stream"`, 1))
	case last:
		return []byte("2026-11-22T09:24:58.001346628Z stderr F " + part)
	}
	return []byte("2026-11-22T09:24:58.001346628Z stderr P " + part)
}

// Law 7 for lines: a part that somebody wrote into a log takes no true line with it, and
// comes out by itself.
func TestForgedPartsTakeNoTrueLine(t *testing.T) {
	t.Parallel()
	good := string(recordLine(formats[0].formatter, executionLog{LogDate: logged, Message: plainAttempt().message(), LogLevel: "info", InstanceID: instance}.record()))
	inCRI, inDocker := "2026-11-22T09:24:58.001346628Z stderr F "+good, string(docker([]byte(good), true))
	for forged, truths := range map[string][]string{
		`2026-01-01T00:00:00.000000000Z stderr P time="`:                            {good, good + "\n", inDocker},
		`{"log":"partial time=\"","stream":"stderr","time":"x"}`:                    {good, inCRI},
		`2026-01-01T00:00:00.000000000Z stdout P ` + strings.Repeat("x", 3<<20):     {good, inDocker, inCRI},
		"2026-01-01T00:00:00.000000000Z stderr P " + strings.Repeat("x", 20) + "\n": {good},
	} {
		a := parser.NewAssembler()
		var out []string
		add := func(line string) {
			if whole, ok := a.Add([]byte(line)); ok {
				out = append(out, string(whole))
			}
		}
		add(forged)
		for _, line := range truths {
			add(line)
		}
		for rest, ok := a.Flush(); ok; rest, ok = a.Flush() {
			out = append(out, string(rest))
		}
		if len(out) != 1+len(truths) {
			t.Errorf("%.60q: %d lines of %d", forged, len(out), 1+len(truths))
		}
		for _, line := range truths {
			if !slices.Contains(out, line) {
				t.Errorf("%.60q: a true line is lost", forged)
			}
		}
	}
}

// What Docker escapes at the end of a line is a newline only behind an odd number of backslashes.
func TestDockersLastBackslash(t *testing.T) {
	t.Parallel()
	a := parser.NewAssembler()
	if line, ok := a.Add([]byte(`{"log":"C:\\n","stream":"stderr","time":"x"}`)); ok {
		t.Errorf(`%q is whole: C:\n goes on`, line)
	}
	if line, ok := a.Add([]byte(`{"log":"ewfile\n","stream":"stderr","time":"x"}`)); !ok || string(line) != `C:\newfile` {
		t.Errorf("%q, %v", line, ok)
	}
	if line, ok := a.Add([]byte(`{"log":"C:\\\\\r\n","stream":"stderr","time":"x"}`)); !ok {
		t.Errorf("%q, %v", line, ok)
	}
}

// Whatever is split: no more is held than a line is read of and one part, and no more room is kept than usual lines need.
func TestAssemblerIsBounded(t *testing.T) {
	a := parser.NewAssembler()
	part := func(flag string, size int) []byte {
		return []byte("2026-01-01T00:00:00.000000000Z stdout " + flag + " " + strings.Repeat("x", size))
	}
	given := 0
	for range 6 {
		whole, ok := a.Add(part("P", parser.MaxLine-100))
		if !ok {
			continue
		}
		given++
		if len(whole) != 2*(parser.MaxLine-100) || cap(whole) > 4*parser.MaxLine || !parse(t, whole).Cut {
			t.Errorf("%d bytes in %d", len(whole), cap(whole))
		}
	}
	if given != 3 {
		t.Errorf("what grew too long was given %d times", given)
	}
	for range 4 {
		a.Add(part("P", 10))
		a.Add(part("F", 10))
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	runtime.KeepAlive(a)
	a = nil //nolint:wastedassign // so that the collector finds it unused
	runtime.GC()
	runtime.ReadMemStats(&after)
	if kept := int64(before.HeapAlloc) - int64(after.HeapAlloc); kept > 512<<10 {
		t.Errorf("%d bytes are kept for the next line", kept)
	}
}

// The same record has the same id, however it was wrapped and quoted, and another one has another.
func TestIDIsTheRecordsOwn(t *testing.T) {
	t.Parallel()
	ids := map[string]string{}
	for _, message := range []string{plainAttempt().message(), "hello", "hello ", "", ownMessage("success", map[string]string{"user_name": "é<\""}, nil), ownMessage("failure", map[string]string{"user_name": "é<\""}, nil)} {
		for _, f := range formats {
			for _, w := range wrappings {
				if !f.quoted {
					continue
				}
				id := parse(t, logOf(f, w, message)).ID()
				if other, ok := ids[id]; ok && other != message {
					t.Fatalf("%q and %q have one id", message, other)
				}
				ids[id] = message
			}
		}
	}
	if len(ids) != 6 {
		t.Errorf("6 messages have %d ids: %q", len(ids), ids)
	}
}

// Two records have one id only where they tell the same: it does not matter how strings meet.
func TestIDTellsFieldsApart(t *testing.T) {
	t.Parallel()
	access := func(status, protocol int, host, domain string) string {
		return fmt.Sprintf(`{"logDate":"2026-11-22T09:24:58.001346628Z","protocol":%d,"requestUrl":"/a","responseStatus":%d,"instanceId":"1","requestedHost":%q,"requestedDomain":%q}`, protocol, status, host, domain)
	}
	own := func(values ...string) string {
		fields := map[string]string{}
		for i := 0; i < len(values); i += 2 {
			fields[values[i]] = values[i+1]
		}
		return executionLog{LogDate: logged, Message: ownMessage("failure", fields, nil), LogLevel: "info", InstanceID: instance}.record()
	}
	log := func(level, message, action string) string {
		return executionLog{LogDate: logged, Message: message, LogLevel: level, InstanceID: instance, ActionID: action}.record()
	}
	ids := map[string]string{}
	for _, f := range formats {
		for _, record := range []string{
			own("user_name", "ab", "login_name", "c"), own("user_name", "a", "login_name", "bc"), own("user_name", "abc"), own("login_name", "abc"), own("error", "abc"), own("user_id", "abc"),
			access(200, 1, "a", "b"), access(403, 1, "a", "b"), access(200, 0, "a", "b"), access(7, 0, "a", "b"), access(200, 1, "ab", ""), access(200, 1, "", "ab"),
			log("info", "m", "7"), log("info", "7m", ""), log("warning", "m", "7"), log("i", "nfom", "7"), log("info", "action run failed: m", "7"),
		} {
			id := parse(t, recordLine(f.formatter, record)).ID()
			if other, ok := ids[id]; ok && other != record {
				t.Errorf("one id: %s and %s", record, other)
			}
			ids[id] = record
		}
	}
	if len(ids) != 17 {
		t.Errorf("%d ids of 17 records, each in every format, believed or not", len(ids))
	}
}

// A record whose fields come in another order is the same record, to the last backslash.
func TestAnotherOrderIsTheSameRecord(t *testing.T) {
	t.Parallel()
	log := executionLog{LogDate: logged, Message: `a \n "b"`, LogLevel: `no\\tice`, InstanceID: `a\nb`, ActionID: `\\"7`}
	record := log.record()
	want := parse(t, recordLine(formats[0].formatter, record))
	other := strings.Replace(strings.Replace(record, `"took":0,`, "", 1), `{`, `{"took":0,`, 1)
	got := parse(t, recordLine(formats[0].formatter, other))
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(parser.Record{})); diff != "" || got.ID() != want.ID() || got.Instance != log.InstanceID {
		t.Errorf("%s and %s: -want +got\n%s", want.ID(), got.ID(), diff)
	}
}
