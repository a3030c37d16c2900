package parser_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// longest is what may come out for a line of any length: the most that is read of it, escaped twice.
const longest = 14 << 20

// checkOutput holds any record's encodings to what their readers need.
func checkOutput(t fataler, r *parser.Record, size int) {
	t.Helper()
	out := parser.AppendJSON(nil, r)
	if !json.Valid(out) || bytes.IndexByte(out, '\n') >= 0 {
		t.Fatalf("no line of JSON: %.300q", out)
	}
	packed := parser.AppendMsgpack(nil, r, 0, nil)
	decodeMsgpack(t, packed)
	if most := min(14*size+4096, longest); len(out) > most || len(packed) > most {
		t.Fatalf("%d bytes of JSON and %d of msgpack from %d", len(out), len(packed), size)
	}
	if len(r.Raw) > 2*parser.MaxLine {
		t.Fatalf("a raw line of %d bytes", len(r.Raw))
	}
}

// Lines over the limit are cut and marked, and the work grows only as the line does. What is
// repeated here is each thing that something is searched for from. With the race detector the
// limit is smaller, but for two lines.
func TestEndlessLinesAreCutAndMarked(t *testing.T) {
	t.Parallel()
	const small = parser.MaxLine / 16
	record := executionLog{LogDate: logged, Message: "hello", LogLevel: "info", InstanceID: instance}.record()
	head := string(recordLine(formats[0].formatter, record))
	head = head[:strings.Index(head, "hello")]
	for i, unit := range []string{
		"x", " ", `"`, `\`, `\"`, `\\\"`, "=", "a=", `a="`, `a="" `, "{", "[", `{"`, `{"a":`, `[[`, `{"log":"`, `","stream":"stderr"`, "record", "record=", ` record="`, ` record="{\"logDate\":\"`, "\x1b[0m", logMessage, `msg="` + logMessage + `" `,
		`"form":{`, `\"form\":{`, `"form":[`, `form":`, `"postForm":{"`, "\"form\" :", "\"form\":\t", `"form":\n`, `\n:`, ": ", "[", `"password":"`, "password=", "Cookie: ", "code=", "zitadel.useragent=", ", username/", ", timestamp/", `, request/{"method":"`, `, request/{\"method\":\"`, `, request/{\\\"method\\\":\\\"`, `, request/{\\\"method\\\":\\\"\\\",\\\"a\\\":{`,
		`\u`, `\u0000`, `\x`, "\xff", "\x00", "ü", "eyJhbGciOi", "$2a$", "Bearer ", "P ", "2026-11-22T09:24:58.001346628Z stderr F ", "&a=", "https://a:b@", `{\\\"post_auth_log\\\":1,`, `\"},`,
	} {
		for name, start := range map[string]string{
			"bare": "", "record": head, "official": head + "successful login: username/", "failed": head + "authentication failed: error/", "own": head + `{\\\"post_auth_log\\\":1,\\\"outcome\\\":\\\"success\\\",\\\"user_name\\\":\\\"`,
			"request": head + `authentication failed: error/x, username/x, timestamp/2026-11-22 09:24:58 +0000 UTC, appID/1, remoteAddr/1:1, request/{\\\"method\\\":\\\"POST\\\",\\\"form\\\":{\\\"a\\\":[\\\"`,
			"json":    `{"level":"info","msg":"log record emitted","record":"{\"logDate\":\"2026-11-22T09:24:58Z\",\"took\":0,\"message\":\"`, "docker": `{"log":"`, "cri": "2026-11-22T09:24:58.001346628Z stderr F ", "slog": `time=2026-11-22T09:24:58Z level=INFO msg="`,
		} {
			if name != "bare" && name != "request" && (i+len(name))%4 != 0 {
				continue // each start with a quarter of the units
			}
			limit := parser.MaxLine
			if testkit.Race && !(unit == `"form":{` && name == "bare" || unit == `\"` && name == "request") {
				limit = small
			}
			line := []byte(start + strings.Repeat(unit, (limit+5000)/len(unit)))
			r := new(parser.Record)
			parser.Limit(everything(), limit).Parse(line, r)
			if !r.Cut {
				t.Errorf("%s of %q: %d bytes, and not marked as cut", name, unit, len(line))
			}
			if r.Kind != parser.Other && r.Kind != parser.Malformed && r.Login.RemoteAddr != "" {
				t.Errorf("%s of %q: %+v is believed", name, unit, r.Login)
			}
			checkOutput(t, r, len(line))
			p := everything()
			testkit.WantLinear(t, fmt.Sprintf("%q of %q", name, unit), func(n int) string { return start + strings.Repeat(unit, n/len(unit)) }, func(s string) { p.Parse([]byte(s), r) })
		}
	}
}

// JSON nested without end takes no stack: it is malformed. As deep as anybody needs, it is read.
func TestNestingIsBounded(t *testing.T) {
	for depth, kind := range map[int]parser.Kind{10: parser.Log, 60: parser.Log, 70: parser.Malformed, 170_000: parser.Malformed} {
		for _, bracket := range []string{"[", `{"a":`} {
			value := strings.Repeat(bracket, depth)
			if kind == parser.Log {
				value += `"[[[["` + strings.Repeat(map[string]string{"[": "]", `{"a":`: "}"}[bracket], depth)
			}
			record := `{"took":0,"logDate":"2026-11-22T09:24:58Z","x":` + value + `,"message":"m","logLevel":"info","instanceId":"1"}`
			if len(record) > 600_000 {
				record = record[:600_000]
			}
			debug.FreeOSMemory()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r := parse(t, recordLine(formats[0].formatter, record))
			runtime.ReadMemStats(&after)
			if r.Kind != kind {
				t.Errorf("%d of %q is a %v", depth, bracket, r.Kind)
			}
			if grown := int64(after.StackSys) - int64(before.StackSys); grown > 8<<20 {
				t.Errorf("%d of %q takes %d bytes of stack", depth, bracket, grown)
			}
		}
	}
}

// A line that is not wanted costs no allocation, and an official one at most one.
func TestAllocations(t *testing.T) {
	var r parser.Record
	var dockers, cris [][]byte
	for _, line := range benchLines(t) {
		dockers, cris = append(dockers, docker(line, true)), append(cris, append([]byte("2026-11-22T09:24:58.001346628Z stderr F "), line...))
	}
	for name, lines := range map[string][][]byte{"official": recordedOfficial(t), "official in Docker": dockers, "official in CRI": cris, "unwanted": unwanted(t),
		"unwanted requests": requestLines(t, parser.Served, parser.Gateway, parser.Activity), "request": requestLines(t, parser.Served, parser.Gateway, parser.Activity)} {
		options := parser.Options{}
		if name == "request" {
			options.Kinds = parser.AllKinds
		}
		p := parser.New(options)
		run := func() {
			for _, line := range lines {
				p.Parse(line, &r)
			}
		}
		run() // the buffers grow once
		most := float64(btoi(!strings.HasPrefix(name, "unwanted")))
		if got := testing.AllocsPerRun(10, run) / float64(len(lines)); got > most {
			t.Errorf("%s: %.2f allocations for a line, want at most %v", name, got, most)
		}
	}
	// Into a buffer that is there, encoding costs none.
	line, p := recordedOfficial(t)[0], parser.New(parser.Options{})
	p.Parse(line, &r)
	buf := make([]byte, 0, 1<<16)
	if got := testing.AllocsPerRun(100, func() { buf = parser.AppendMsgpack(buf[:0], &r, 0, nil); buf = parser.AppendJSON(buf[:0], &r) }); got > 0 {
		t.Errorf("%v allocations to encode", got)
	}
}

// Memory of one endless line is not kept in what comes after it.
func TestOneParserSurvivesEverything(t *testing.T) {
	t.Parallel()
	p := everything()
	good := recordedOfficial(t)[0]
	want := string(parser.AppendJSON(nil, parse(t, good)))
	for _, bad := range [][]byte{nil, {0}, bytes.Repeat([]byte{'"'}, 3<<20), good[:len(good)/2], []byte("{"), docker(good[:700], true)} {
		var r parser.Record
		p.Parse(bad, &r)
		p.Parse(good, &r)
		if got := string(parser.AppendJSON(nil, &r)); got != want {
			t.Errorf("after %.40q\n got %s\nwant %s", bad, got, want)
		}
	}
}
