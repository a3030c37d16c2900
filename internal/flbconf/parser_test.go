package flbconf

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGoodOutputsHaveNoFindings(t *testing.T) {
	for file, want := range map[string]struct{ match, forward string }{
		"parse.yaml": {"raw.var.log.*", "tcp://127.0.0.1:24224"},
		"parse.conf": {"zitadel.*", "tls://siem.example.com:24224"},
	} {
		report, err := Check(filepath.Join("testdata", file), options())
		if err != nil || len(report.Findings) > 0 || len(report.Inputs) > 0 {
			t.Errorf("%s: %v %v", file, err, report.Findings)
		}
		if len(report.Outputs) != 1 {
			t.Errorf("%s: %d outputs", file, len(report.Outputs))
			continue
		}
		out := report.Outputs[0]
		if !out.Usable || out.Match != want.match || out.Settings.Forward.String() != want.forward || out.Line == 0 {
			t.Errorf("%s: %+v", file, out)
		}
	}
}

func TestEachBadThingAroundAnOutputHasItsFinding(t *testing.T) {
	eachHasItsFinding(t, []badThing{
		{"workers missing, to ourselves", "parse.yaml", "      workers: 1\n", "", []string{
			`- name: zitadel <- error: workers is 0 or not set: this output then runs on Fluent Bit's engine thread, which cannot wait for the input at FILE:15 of the same process, so it sends nothing; fix: workers: 1`,
		}},
		{"workers 0, elsewhere", "parse.conf", "    Workers     2", "    Workers     0", []string{
			`Workers     0 <- warning: workers is 0 or not set: all of Fluent Bit then waits whenever the other side is slow to acknowledge; fix: workers 1`,
		}},
		{"reload", "parse.yaml", "service:\n", "service:\n  hot_reload: on\n", []string{
			`hot_reload: on <- warning: hot_reload is on: a reload can crash or hang Fluent Bit if it has an output of this kind (seen with 5.1.1); fix: hot_reload: off, and restart it instead`,
		}},
		{"receiver on a thread", "parse.yaml", "      listen: 127.0.0.1\n", "      threaded: on\n", []string{
			`threaded: on <- warning: threaded is not off: on an input thread, records wait in memory after Fluent Bit has accepted them; if the process is killed, they are lost or read twice; fix: threaded: off`,
		}},
		{"receiver in memory", "parse.yaml", "      shared_key: ${SHARED_KEY}\n      storage.type: filesystem", "      shared_key: ${SHARED_KEY}", []string{
			`- name: forward <- warning: storage.type is not filesystem: records that Fluent Bit holds in memory are lost if it is stopped while an output is stuck; fix: storage.type: filesystem`,
		}},
		{"no prefix, match of all", "parse.yaml", "      match: raw.var.log.*\n      forward: 127.0.0.1:24224", "      match: '*'\n      forward: 127.0.0.1:24224", []string{
			`tag_prefix: parsed. <- error: the output zitadel gets its own records again: the output at FILE:23 sends to this input, and its match takes the tag parsed.raw.var.log.containers.zitadel-*.log with which they come back: an endless loop; fix: match: raw.* at FILE:23, and tag_prefix: parsed. here`,
			`- name: cpu <- warning: storage.type is not filesystem: records that Fluent Bit holds in memory are lost if it is stopped while an output is stuck; fix: storage.type: filesystem`,
			`match: metrics <- warning: the lines of metrics go to this output without redaction: they can hold passwords in clear text, because ZITADEL's own example script logs them; fix: match: a tag of parsed records`,
		}},
		{"no prefix", "parse.yaml", "      tag_prefix: parsed.\n", "", []string{
			`- name: forward <- error: the output zitadel gets its own records again: the output at FILE:22 sends to this input, and its match takes the tag raw.var.log.containers.zitadel-*.log with which they come back: an endless loop; fix: tag_prefix: parsed.`,
		}},
		{"a tag of its own that the output takes", "parse.yaml", "      tag_prefix: parsed.", "      tag: raw.var.log.back", []string{
			`- name: forward <- error: the output zitadel gets its own records again: the output at FILE:23 sends to this input, and its match takes the tag raw.var.log.back with which they come back: an endless loop; fix: tag_prefix: parsed.`,
		}},
		{"tag of the output", "parse.yaml", "      kinds: all", "      tag: audit", nil},
		{"another port", "parse.yaml", "      listen: 127.0.0.1", "      port: 24225", nil},
		{"a socket", "parse.yaml", "      listen: 127.0.0.1", "      unix_path: /run/f.sock", nil},
		{"files that cannot be told apart", "parse.conf", "/var/log/zitadel.log", "/var/log/containers/*.log", []string{
			`Path            /var/log/containers/*.log <- error: path matches several files, which share one tag and have no path_key: parts of lines of different containers can then be joined; fix: path_key log_file`,
		}},
		{"two files", "parse.conf", "/var/log/zitadel.log", "/var/log/a.log,/var/log/b.log", []string{
			`Path            /var/log/a.log,/var/log/b.log <- error: path matches several files, which share one tag and have no path_key: parts of lines of different containers can then be joined; fix: path_key log_file`,
		}},
		{"files told apart by a key", "parse.conf", "/var/log/zitadel.log", "/var/log/containers/*.log\n    Path_Key        file", nil},
		{"files told apart by the tag", "parse.conf", "Tag             zitadel.log", "Tag             zitadel.<pod>\n    Tag_Regex       (?<pod>[a-z]+)\\.log", nil},
		{"tail without db", "parse.conf", "    DB              /var/lib/fluent-bit/tail.db\n", "", []string{
			`[INPUT] <- warning: db is missing: a restart reads lines twice, or skips lines that were written in the meantime; fix: db /var/lib/fluent-bit/tail.db`,
		}},
		{"tail with the default buffer", "parse.conf", "    Buffer_Max_Size 1M\n", "", []string{
			`[INPUT] <- warning: buffer_max_size is less than 64k: longer lines are lost, and a client can cause them; fix: buffer_max_size 1M`,
		}},
		{"tail that stops at long lines", "parse.conf", "Skip_Long_Lines On", "Skip_Long_Lines Off", []string{
			`Skip_Long_Lines Off <- warning: skip_long_lines is not on: one line that is longer than buffer_max_size ends the reading of its file; fix: skip_long_lines on`,
		}},
		{"tail that skips lines of requests", "parse.yaml", "buffer_max_size: 8M", "buffer_max_size: 1M", []string{
			`buffer_max_size: 1M <- warning: buffer_max_size is less than 8M: a client can make the line of its request so long that it is skipped, and a request of somebody else can then get the address of another; fix: buffer_max_size: 8M`,
		}},
		{"tail that skips lines of requests, classic", "parse.conf", "    Workers     2", "    Workers     2\n    Kinds log,request", []string{
			`Buffer_Max_Size 1M <- warning: buffer_max_size is less than 8M: a client can make the line of its request so long that it is skipped, and a request of somebody else can then get the address of another; fix: buffer_max_size 8M`,
		}},
		{"tail of requests that Kubernetes splits", "parse.yaml", ", /var/log/zitadel.log\n      db: /var/lib/fluent-bit/tail.db\n      buffer_max_size: 8M", "\n      db: /var/lib/fluent-bit/tail.db\n      buffer_max_size: 1M", nil},
		{"tail that truncates lines of requests", "parse.yaml", "buffer_max_size: 8M", "buffer_max_size: 1M\n      truncate_long_lines: on", nil},
		{"tail in memory", "parse.conf", "    storage.type    filesystem\n", "", []string{
			`[INPUT] <- warning: storage.type is not filesystem: records that Fluent Bit holds in memory are lost if it is stopped while an output is stuck; fix: storage.type filesystem`,
		}},
		{"tail on a thread", "parse.conf", "    DB ", "    Threaded on\n    DB ", []string{
			`Threaded on <- warning: threaded is not off: on an input thread, records wait in memory after Fluent Bit has accepted them; if the process is killed, they are lost or read twice; fix: threaded off`,
		}},
		{"no storage path", "parse.conf", "    storage.path /var/lib/fluent-bit/storage\n", "", []string{
			`[SERVICE] <- error: storage.path is missing in the service section: storage.type filesystem needs a directory; without one, Fluent Bit does not start; fix: storage.path /var/lib/fluent-bit/storage`,
		}},
		{"lines beside the parser", "parse.yaml", "      match: metrics", "      match: '*'", []string{
			`- name: file <- warning: retry_limit is not no_limits: Fluent Bit drops records after that many failed retries, by default after one; fix: retry_limit: no_limits`,
			`match: '*' <- warning: the lines of raw.var.log.containers.zitadel-*.log go to this output without redaction: they can hold passwords in clear text, because ZITADEL's own example script logs them; fix: match: a tag of parsed records`,
		}},
		{"lines of other programs", "parse.yaml", "      match: metrics", "      match: raw.var.log.nginx*", nil},
		{"retry limit", "parse.conf", "    Retry_Limit no_limits\n", "", []string{
			`[OUTPUT] <- warning: retry_limit is not no_limits: Fluent Bit drops records after that many failed retries, by default after one; fix: retry_limit no_limits`,
		}},
		{"nothing matches the parsed", "parse.yaml", "      match: parsed.*", "      match: elsewhere.*", []string{
			`- name: forward <- error: no output matches the tag parsed.raw.var.log.containers.zitadel-*.log: Fluent Bit drops records that no output matches; fix: match: parsed.* in an output`,
		}},
		{"nothing feeds it", "parse.conf", "Match       zitadel.*", "Match       raw.*", []string{
			`Match       raw.* <- warning: no other input has a tag that match takes: this output then gets nothing; fix: the tag of the input that reads ZITADEL's log`,
		}},
		{"events into the parser", "parse.yaml", "    - name: cpu\n      tag: metrics", "    - name: zitadel\n      tag: raw.var.log.x\n      url: https://zitadel.example.com\n      token: ${ZITADEL_TOKEN}\n      state_path: /s\n      threaded: off\n      storage.type: filesystem", []string{
			`match: raw.var.log.* <- error: match takes the events of the input at FILE:20: they are not log lines, so this output drops them; fix: a match that is not raw.var.log.x`,
		}},
		{"misspelt option", "parse.yaml", "      kinds: all", "      kind: all", []string{
			`kind: all <- error: kind: neither the plugin nor Fluent Bit knows this option, and Fluent Bit does not report it; fix: did you mean kinds?`,
		}},
		{"key of another output", "parse.yaml", "      kinds: all", "      upstream: u.conf", []string{
			`upstream: u.conf <- error: upstream: neither the plugin nor Fluent Bit knows this option, and Fluent Bit does not report it; fix: did you mean forward?`,
		}},
		{"misspelt host key", "parse.yaml", "      workers: 1", "      worker: 1", []string{
			`- name: zitadel <- error: workers is 0 or not set: this output then runs on Fluent Bit's engine thread, which cannot wait for the input at FILE:15 of the same process, so it sends nothing; fix: workers: 1`,
			`worker: 1 <- error: worker: neither the plugin nor Fluent Bit knows this option, and Fluent Bit does not report it; fix: did you mean workers?`,
		}},
		{"host instead of forward", "parse.conf", "Forward     tls://siem.example.com:24224", "Host        siem.example.com", []string{
			`[OUTPUT] <- error: forward: is missing; fix: for example tls://siem.example.com:24224`,
			`Host        siem.example.com <- warning: host: Fluent Bit takes this option itself, so the plugin never gets it; fix: forward tls://siem.example.com:24224`,
		}},
		{"tls", "parse.conf", "    Workers     2", "    Workers     2\n    tls on\n    tls.crt_file /c\n    net.keepalive off", []string{
			`tls on <- error: tls: Fluent Bit does not start: this output does not take TLS from it, forward decides; fix: forward tls://siem.example.com:24224`,
			`tls.crt_file /c <- warning: tls.crt_file: Fluent Bit takes this option itself, so the plugin never gets it; fix: cert_file /etc/zitadel-siem/client.pem`,
			`net.keepalive off <- warning: net.keepalive: Fluent Bit takes this option itself, so the plugin never gets it; fix: ack_timeout 30s`,
		}},
		{"tls.verify off, which we do not see", "parse.conf", "    Workers     2", "    Workers     2\n    tls.verify off", []string{
			`tls.verify off <- warning: tls.verify: Fluent Bit takes this option itself, so the plugin never gets it; fix: ca_file /etc/ssl/private-ca.pem`,
		}},
		{"yaml list", "parse.yaml", "      kinds: all", "      kinds: [log, access]", []string{
			`kinds: [log, access] <- error: kinds: Fluent Bit passes only the first element of a YAML list to a plugin; fix: kinds: log,access`,
		}},
		{"unset variable", "parse.yaml", "      kinds: all", "      tag: ${NO_SUCH}", []string{
			`tag: ${NO_SUCH} <- error: tag: the variable ${NO_SUCH} is not set, so Fluent Bit replaces it with nothing; fix: set it in the environment of Fluent Bit`,
		}},
		{"bad value", "parse.conf", ":24224", "", []string{
			`Forward     tls://siem.example.com <- error: forward "tls://siem.example.com": has no port; fix: did you mean tls://siem.example.com:24224? (24224 is the usual one)`,
		}},
		{"in clear", "parse.conf", "tls://", "", []string{
			`Forward     siem.example.com:24224 <- error: forward "tcp://siem.example.com:24224": would send all records unencrypted to a host other than loopback; fix: did you mean tls://siem.example.com:24224? Otherwise set insecure on`,
		}},
		{"shared key missing", "parse.yaml", "      shared_key: ${SHARED_KEY}\n      kinds", "      kinds", []string{
			`- name: zitadel <- error: shared_key is missing: the input at FILE:15 requires one; fix: shared_key_file: /etc/zitadel-siem/shared-key`,
		}},
		{"shared key too many", "parse.yaml", "      shared_key: ${SHARED_KEY}\n      storage", "      storage", []string{
			`shared_key: ${SHARED_KEY} <- error: shared_key is given: the input at FILE:15 has no shared key, so it never starts the handshake that this output waits for; fix: leave it out, or set it there as well`,
		}},
		{"shared keys differ", "parse.yaml", "      shared_key: ${SHARED_KEY}\n      kinds", "      shared_key: other\n      kinds", []string{
			`shared_key: other <- error: shared_key differs: the input at FILE:15 has a different one; fix: the same in both`,
		}},
		{"TLS at one end", "parse.yaml", "      listen: 127.0.0.1", "      tls: on", []string{
			`forward: 127.0.0.1:24224 <- error: forward tcp://127.0.0.1:24224: the input at FILE:15 speaks TLS only; fix: forward: tls://127.0.0.1:24224`,
		}},
		{"bare plugin name", "parse.yaml", "./out_zitadel.so", "out_zitadel.so", []string{
			`- out_zitadel.so <- error: plugins: out_zitadel.so: Fluent Bit does not load a bare file name; fix: ./out_zitadel.so or an absolute path`,
		}},
		{"native plugin name", "parse.yaml", "./out_zitadel.so", "./flb-out_zitadel.so", []string{
			`- ./flb-out_zitadel.so <- error: plugins: ./flb-out_zitadel.so: Fluent Bit treats a file named flb-* as a native plugin; fix: out_zitadel.so`,
		}},
		{"wrong plugin name", "parse.conf", "Name        Zitadel", "Name        out_zitadel", []string{
			`Name        out_zitadel <- error: no output named zitadel: this configuration parses nothing of ZITADEL's log; fix: name zitadel`,
		}},
		{"rewritten in memory", "parse.yaml", "  outputs:\n", "  filters:\n    - name: rewrite_tag\n      match: raw.*\n      rule: $log .* zit false\n  outputs:\n", []string{
			`- name: rewrite_tag <- warning: emitter_storage.type is not filesystem: rewrite_tag moves records from the files into memory, where they are lost when Fluent Bit stops; fix: emitter_storage.type: filesystem`,
		}},
	})
}

// As the plugin sees it: an input of the same process gets nothing from the engine's
// thread, whether or not it could answer.
func TestAnOutputWithoutWorkersThatLeadsToItself(t *testing.T) {
	for _, c := range []struct {
		receiver, forward string
		want              Severity
	}{
		{"listen: 127.0.0.1", "127.0.0.1:24224", Error},
		{"listen: 127.0.0.1", "localhost:24224", Error},
		{"listen: localhost", "127.0.0.1:24224", Error},
		{"port: 24225", "127.0.0.2:24225", Error}, // all addresses
		{"listen: '::'", "127.0.0.1:24224", Error},
		{"listen: 127.0.0.1\n      threaded: on", "127.0.0.1:24224", Error},
		{"listen: 127.0.0.1\n      workers: 2", "127.0.0.1:24224", Error},
		{"listen: 127.0.0.2", "127.0.0.1:24224", Warning},
		{"listen: 127.0.0.1", "127.0.0.1:24225", Warning},
		{"unix_path: /nonexistent/a b/f.sock", "unix:/nonexistent/./a b/f.sock", Error},
		{"unix_path: /nonexistent/f.sock", "unix:/nonexistent/g.sock", Warning},
	} {
		path := filepath.Join(t.TempDir(), "flb.yaml")
		text := fmt.Sprintf("pipeline:\n  inputs:\n    - name: forward\n      %s\n  outputs:\n    - name: zitadel\n      match: raw\n      forward: %s\n", c.receiver, c.forward)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		report, err := Check(path, options())
		if err != nil {
			t.Fatal(err)
		}
		var got []Severity
		for _, f := range report.Findings {
			if strings.HasPrefix(f.What, "workers") {
				got = append(got, f.Severity)
			}
		}
		if len(got) != 1 || got[0] != c.want {
			t.Errorf("%s, %s: %v", c.receiver, c.forward, report.Findings)
		}
	}
}
