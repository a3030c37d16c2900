package conf

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The message is the record, whatever is in it.
func TestSyslogMessageIsTheRecord(t *testing.T) {
	t.Parallel()
	records := []string{
		`{"event":{"id":"a/b/1/2","type":"user.human.added","sequence":9007199254740991},"source":"events_api"}`,
		`{"event":{"type":"user added\u0000<1>é and more than 32 bytes"},"n":[0,-1,-0.5,0.1,1e300,9007199254740992,-9007199254740991,123456789.125]}`,
		`{"event":{"type":7},"empty":{"map":{},"array":[],"text":"","null":null},"nested":{"a":[{"b":[[1],[],{}]},null,true,false]}}`,
		`{"event":"none","t":"quote \" back \\ slash / nl \n cr \r tab \t nul \u0000 esc \u001b del \u007f u1 \u0001 u2028 \u2028 <b>&amp;</b> %s %z %1"}`,
		`{"é 龍 😀 \" \n key":"é 龍 😀","1":"a number's name","true":false}`,
		`{}`,
	}
	long := strings.Repeat(`\u0001龍`, 6000) // 54,000 bytes as JSON writes them
	cut := []struct{ record, want string }{
		{`{"event":{"id":"1","type":"t"},"payload":{"a":"` + long + `"},"trust":"full"}`, ""}, // fits
		{`{"event":{"id":"2","type":"t"},"payload":{"a":"` + long + `","b":"` + long + `"},"trust":"full"}`, `{"event":{"id":"2","type":"t"},"trust":"full","cut":true}`},
		{`{"event":{"id":"3","type":"t"},"payload":{"a":1},"raw":"` + long + long + `","message":"m","trust":"none"}`, `{"event":{"id":"3","type":"t"},"message":"m","trust":"none","cut":true}`},
	}
	want := records
	for _, c := range cut {
		records = append(records, c.record)
		if c.want == "" {
			c.want = c.record
		}
		want = append(want, c.want)
	}

	dir := t.TempDir()
	script, err := Files.ReadFile("syslog.lua")
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) string {
		path := dir + "/" + name
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("syslog.lua", string(script))
	write("records", strings.Join(records, "\n")+"\n")
	data, err := Files.ReadFile("syslog-tls.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, processors, _ := strings.Cut(string(data), "      processors:\n")
	p := start(t, write("config.yaml", `
service:
  flush: 0.1
  grace: 1
parsers:
  - name: record
    format: json
pipeline:
  inputs:
    - name: tail
      tag: zitadel
      path: `+dir+`/records
      read_from_head: on
      parser: record
      buffer_max_size: 1M
  outputs:
    - name: stdout
      match: zitadel
      format: json_lines
      processors:
`+processors))

	type line struct{ Message, Msgid string }
	var got []line
	p.Until("every record is printed", func() bool {
		got = nil
		for text := range strings.Lines(p.Out.String()) {
			if strings.HasPrefix(text, "{") && strings.HasSuffix(text, "\n") {
				var l line
				if err := json.Unmarshal([]byte(text), &l); err != nil {
					t.Fatalf("%v: %.300s", err, text)
				}
				got = append(got, l)
			}
		}
		return len(got) >= len(want)
	})
	p.stop(t)

	printable := regexp.MustCompile(`^[!-~]{1,32}$`)
	unsafe := regexp.MustCompile(`[\x00-\x1f\x7f]`)
	for i, l := range got {
		if diff := cmp.Diff(value(t, want[i]), value(t, l.Message)); diff != "" {
			t.Errorf("record %d (-want +got):\n%.2000s", i, diff)
		}
		if !printable.MatchString(l.Msgid) {
			t.Errorf("record %d: msgid %q", i, l.Msgid)
		}
		if unsafe.MatchString(l.Message) || len(l.Message) > 65_000 {
			t.Errorf("record %d: message of %d bytes %.300q", i, len(l.Message), l.Message)
		}
	}
	if got[0].Msgid != "user.human.added" || got[0].Message != `{"event":{"id":"a/b/1/2","sequence":9007199254740991,"type":"user.human.added"},"source":"events_api"}` {
		t.Errorf("got %q", got[0])
	}
}

// value is JSON with its numbers as they are written.
func value(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Errorf("%v: %.300s", err, text)
	}
	return v
}
