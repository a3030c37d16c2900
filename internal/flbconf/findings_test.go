package flbconf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// badThing changes one thing of a good configuration and wants exactly the
// finding for it, shown as "text of its line <- severity: what: why; fix: ...".
type badThing struct {
	name, file, old, new string
	want                 []string
}

func TestEachBadThingHasItsFinding(t *testing.T) {
	eachHasItsFinding(t, []badThing{
		{"threaded on", "good.yaml", "threaded: off", "threaded: on", []string{
			`threaded: on <- warning: threaded is not off: on an input thread, records wait in memory after Fluent Bit has accepted them; if the process is killed, they are lost or read twice; fix: threaded: off`,
		}},
		{"threaded missing", "good.yaml", "      threaded: off\n", "", []string{
			`- name: zitadel <- warning: threaded is not off: on an input thread, records wait in memory after Fluent Bit has accepted them; if the process is killed, they are lost or read twice; fix: threaded: off`,
		}},
		{"memory storage", "good.yaml", "storage.type: filesystem\n      mem", "storage.type: memory\n      mem", []string{
			`storage.type: memory <- warning: storage.type is not filesystem: records that Fluent Bit holds in memory are lost if it is stopped while an output is stuck; fix: storage.type: filesystem`,
		}},
		{"no storage path", "good.yaml", "  storage.path: /var/lib/fluent-bit/storage\n", "", []string{
			`service: <- error: storage.path is missing in the service section: storage.type filesystem needs a directory; without one, Fluent Bit does not start; fix: storage.path: /var/lib/fluent-bit/storage`,
		}},
		{"no inherit", "inline.conf", "    storage.inherit on\n", "", []string{
			`[INPUT] <- warning: storage.type is not filesystem: records that Fluent Bit holds in memory are lost if it is stopped while an output is stuck; fix: storage.type filesystem`,
		}},
		{"default retry limit", "good.yaml", "      retry_limit: no_limits\n", "", []string{
			`- name: opensearch <- warning: retry_limit is not no_limits: Fluent Bit drops records after that many failed retries, by default after one; fix: retry_limit: no_limits`,
		}},
		{"retry limit 5, classic", "inline.conf", "Retry_Limit no_limits", "Retry_Limit 5", []string{
			`Retry_Limit 5 <- warning: retry_limit is not no_limits: Fluent Bit drops records after that many failed retries, by default after one; fix: retry_limit no_limits`,
		}},
		{"retry limit behind rewrite_tag", "good.yaml", "retry_limit: false", "retry_limit: 3", []string{
			`retry_limit: 3 <- warning: retry_limit is not no_limits: Fluent Bit drops records after that many failed retries, by default after one; fix: retry_limit: no_limits`,
		}},
		{"retry limit of s3", "good.yaml", "    - name: opensearch\n", "    - name: s3\n", []string{
			`retry_limit: no_limits <- warning: retry_limit is below 1000000: the output s3 gives an upload up after that many failures, with no_limits after five; fix: retry_limit: 1000000`,
		}},
		{"retry limit of a foreign output", "good.yaml", "    - name: stdout\n      match: metrics", "    - name: es\n      match: metrics", nil},
		{"total limit", "good.yaml", "id_key: event_id", "storage.total_limit_size: 500M", []string{
			`storage.total_limit_size: 500M <- warning: storage.total_limit_size is set: when the buffer is full, Fluent Bit drops the oldest records; fix: storage.total_limit_size: off`,
		}},
		{"tls.verify off", "good.yaml", "tls.verify: on", "tls.verify: off", []string{
			`tls.verify: off <- warning: tls.verify is off: anybody on the network path can read and change the audit trail; fix: tls.verify: on`,
		}},
		{"memory emitter", "good.yaml", "      emitter_storage.type: filesystem\n", "", []string{
			`- name: rewrite_tag <- warning: emitter_storage.type is not filesystem: rewrite_tag moves records from the files into memory, where they are lost when Fluent Bit stops; fix: emitter_storage.type: filesystem`,
		}},
		{"shared state", "good.yaml", "/test.state", "/./prod.state", []string{
			`state_path: ${STATE_DIR}/./prod.state <- error: state_path is used by another input: the input at FILE:17 keeps its state there; each reader needs a file of its own; fix: state_path: /var/lib/zitadel-siem/prod-2.state`,
		}},
		{"misspelt option", "good.yaml", "start: 30d", "strat: 30d", []string{
			`strat: 30d <- error: strat: neither the plugin nor Fluent Bit knows this option, and Fluent Bit does not report it; fix: did you mean start?`,
		}},
		{"misspelt host key", "good.yaml", "mem_buf_limit: 32M", "mem_buff_limit: 32M", []string{
			`mem_buff_limit: 32M <- error: mem_buff_limit: neither the plugin nor Fluent Bit knows this option, and Fluent Bit does not report it; fix: did you mean mem_buf_limit?`,
		}},
		{"option of another plugin", "inline.conf", "    Threaded     Off", "    Threaded     Off\n    DB  /x", []string{
			`DB  /x <- error: db: neither the plugin nor Fluent Bit knows this option, and Fluent Bit does not report it; fix: did you mean state_path?`,
		}},
		{"idle key", "good.yaml", "start: 30d", "tls.verify: off", []string{
			`tls.verify: off <- warning: tls.verify: Fluent Bit takes this option itself, so the plugin never gets it; fix: ca_file: /etc/ssl/private-ca.pem`,
		}},
		{"listen for webhooks", "good.yaml", "start: 30d", "listen: 0.0.0.0:8443", []string{
			`listen: 0.0.0.0:8443 <- error: listen: Fluent Bit takes this option itself, so the plugin never gets it and receives no webhooks; fix: webhook_listen: 0.0.0.0:8443`,
		}},
		{"listen for webhooks, with the keys", "good.yaml", "start: 30d", "Listen: 0.0.0.0:8443\n      listen_keys_dir: /etc/keys", []string{
			`Listen: 0.0.0.0:8443 <- error: listen: Fluent Bit takes this option itself, so the plugin never gets it and receives no webhooks; fix: webhook_listen: 0.0.0.0:8443`,
			`listen_keys_dir: /etc/keys <- error: listen_keys_dir: neither the plugin nor Fluent Bit knows this option, and Fluent Bit does not report it; fix: did you mean webhook_keys_dir?`,
		}},
		{"tls on our input", "good.yaml", "start: 30d", "tls: on", []string{
			`tls: on <- error: tls: Fluent Bit does not start: this input does not take TLS from it, the url decides; fix: url: https://zitadel.example.com`,
		}},
		{"host instead of url", "inline.conf", "    URL          https", "    Host         https", []string{
			`[INPUT] <- error: url: is missing; fix: for example https://zitadel.example.com`,
			`Host         https://zitadel.example.com <- warning: host: Fluent Bit takes this option itself, so the plugin never gets it; fix: url https://zitadel.example.com`,
		}},
		{"bad value", "good.yaml", "start: 30d", "start: 30 days", []string{
			`start: 30 days <- error: start "30 days": is not beginning, now, an RFC 3339 time, or a duration such as 24h (that far back); fix: did you mean 30d?`,
		}},
		{"yaml list", "good.yaml", "eventTypes: user.locked, user.unlocked", "event_types: [user.locked, user.unlocked]", []string{
			`event_types: [user.locked, user.unlocked] <- error: event_types: Fluent Bit passes only the first element of a YAML list to a plugin; fix: event_types: user.locked,user.unlocked`,
		}},
		{"yaml mapping", "good.yaml", "start: 30d", "start: {days: 30}", []string{
			`start: {days: 30} <- error: start: Fluent Bit needs plain text here, not a structure; fix: start: 24h`,
		}},
		{"given twice", "good.yaml", "start: 30d", "url: https://other.example", []string{
			`url: https://other.example <- warning: url is given twice: the plugin gets the first one, line 20; fix: keep one of them`,
		}},
		{"unset variable", "good.yaml", "${ZITADEL_TOKEN}", "${NO_SUCH_TOKEN}", []string{
			`token: ${NO_SUCH_TOKEN} <- error: token: the variable ${NO_SUCH_TOKEN} is not set, so Fluent Bit replaces it with nothing; fix: set it in the environment of Fluent Bit`,
		}},
		{"unknown event type", "good.yaml", "user.unlocked", "user.unlockd", []string{
			`eventTypes: user.locked, user.unlockd <- warning: event_types "user.unlockd": is not an event type known here; if it is misspelt, it matches nothing; fix: did you mean user.unlocked?`,
		}},
		{"no output", "good.yaml", "match: audit.*\n", "match: audit.test.*\n", []string{
			`tag: audit.prod <- warning: no output matches the tag audit.prod: Fluent Bit drops records that no rule of rewrite_tag takes, and records that arrive faster than emitter_mem_buf_limit allows; fix: match: audit.prod* in an output`,
		}},
		{"no output, nothing rewritten", "plain.yaml", "match: 'zitadel.*'", "match: 'other.*'", []string{
			`- name: zitadel <- error: no output matches the tag zitadel.0: Fluent Bit drops records that no output matches; fix: match: zitadel.0* in an output`,
		}},
		{"lone output without match", "plain.yaml", "      match: 'zitadel.*'\n", "", []string{
			`- name: zitadel <- error: no output matches the tag zitadel.0: Fluent Bit drops records that no output matches; fix: match: zitadel.0* in an output`,
		}},
		{"no output for some tags", "good.yaml", "match: audit.*\n", "match_regex: ^audit\\.(prod|test\\.u)\n", []string{
			`tag_by: aggregate_type <- warning: no output matches the tag audit.test.action: Fluent Bit drops records that no output matches; fix: match: audit.test* in an output`,
		}},
		{"bare plugin name", "good.yaml", "./in_zitadel.so", "in_zitadel.so", []string{
			`- in_zitadel.so <- error: plugins: in_zitadel.so: Fluent Bit does not load a bare file name; fix: ./in_zitadel.so or an absolute path`,
		}},
		{"native plugin name", "good.yaml", "./in_zitadel.so", "./flb-in_zitadel.so", []string{
			`- ./flb-in_zitadel.so <- error: plugins: ./flb-in_zitadel.so: Fluent Bit treats a file named flb-* as a native plugin; fix: in_zitadel.so`,
		}},
		{"missing include", "good.yaml", "service:\n", "includes: [none.yaml]\nservice:\n", []string{
			`includes: [none.yaml] <- error: include none.yaml: DIR/none.yaml: no such file or directory; fix: repair the file, or remove the line`,
		}},
		{"alias", "good.yaml", "start: 30d", "start: *nowhere", []string{
			`start: *nowhere <- error: YAML alias without an anchor: Fluent Bit does not support aliases and does not start; fix: write the value itself; if it begins with *, put it in quotes`,
		}},
		{"known alias", "good.yaml", "name: cpu\n", "name: cpu\n      interval: &n 5\n      other: *n\n", []string{
			`other: *n <- error: YAML alias *n: Fluent Bit does not support aliases and does not start; fix: the value itself`,
		}},
		{"broken yaml", "good.yaml", "  flush: 1", "  flush: [1", []string{
			`service: <- error: the file is not valid YAML: line 7: did not find expected ',' or ']'; fix: repair the line`,
		}},
		{"wrong plugin name", "inline.conf", "Name         zitadel", "Name         in_zitadel", []string{
			`Name         in_zitadel <- error: no input named zitadel: this configuration reads nothing from ZITADEL; fix: name zitadel`,
		}},
		{"tab", "inline.conf", "    Threaded     Off", "    Threaded\tOff", []string{
			`Threaded	Off <- error: Threaded: Fluent Bit does not start: key and value are separated by spaces, not by tabs; fix: Threaded <value>`,
		}},
		{"line in the first column", "inline.conf", "    Threaded     Off", "Threaded Off", []string{
			`Threaded Off <- error: Threaded: Fluent Bit does not start: only [SECTION], @INCLUDE, @SET and # comments may begin in the first column; fix: indent it by 4 spaces, like the first setting of the file`,
		}},
		{"other indentation", "inline.conf", "    Threaded     Off", "      Threaded Off", []string{
			`Threaded Off <- error: Threaded: Fluent Bit does not start: all settings must have the same indentation; fix: indent it by 4 spaces, like the first setting of the file`,
		}},
		{"blanks", "inline.conf", "    Threaded     Off", "    Threaded Off\n  ", []string{
			` <- error: a line with only white space: Fluent Bit does not start: all settings must have the same indentation; fix: remove the white space`,
		}},
		{"misspelt section", "inline.conf", "[FILTER]", "[FILTRE]", []string{
			`[FILTRE] <- error: [FILTRE]: Fluent Bit does not know this section and ignores it; fix: [FILTER]`,
		}},
		{"service setting twice", "inline.conf", "    storage.inherit on", "    storage.inherit on\n    storage.inherit off", []string{
			`storage.inherit off <- warning: storage.inherit is given twice: the last one counts, line 10; fix: keep one of them`,
			`[INPUT] <- warning: storage.type is not filesystem: records that Fluent Bit holds in memory are lost if it is stopped while an output is stuck; fix: storage.type filesystem`,
		}},
		{"two service sections", "inline.conf", "[FILTER]", "[SERVICE]\n    storage.type memory\n[FILTER]", []string{
			`[INPUT] <- warning: storage.type is not filesystem: records that Fluent Bit holds in memory are lost if it is stopped while an output is stuck; fix: storage.type filesystem`,
			`storage.type memory <- warning: storage.type is given twice: the last one counts, line 20; fix: keep one of them`,
		}},
		{"match of a filter twice", "inline.conf", "    Match                audit.*", "    Match audit.*\n    Match other", []string{
			`Match other <- warning: match is given twice: the last one counts, line 22; fix: keep one of them`,
		}},
		{"name twice", "good.yaml", "    - name: opensearch", "    - name: opensearch\n      name: es", []string{
			`name: es <- warning: name is given twice: the first one counts, line 54; fix: keep one of them`,
		}},
		{"unknown section of YAML", "good.yaml", "parsers:\n", "input:\n  - name: x\nparsers:\n", []string{
			`input: <- error: input: Fluent Bit does not start: Fluent Bit has no section with this name; fix: put inputs: below pipeline:`,
		}},
		{"key without value", "inline.conf", "    Threaded     Off", "    Threaded     Off\n    Redact", []string{
			`Redact <- error: Redact: Fluent Bit does not start: a key needs a value; fix: Redact <value>`,
		}},
	})
}

func eachHasItsFinding(t *testing.T, things []badThing) {
	for _, c := range things {
		t.Run(c.name, func(t *testing.T) {
			text := readExample(t, c.file)
			if strings.Count(text, c.old) == 0 {
				t.Fatalf("%q is not in %s", c.old, c.file)
			}
			path := filepath.Join(t.TempDir(), c.file)
			changed := strings.Replace(text, c.old, c.new, 1)
			if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			report, err := Check(path, options())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range report.Findings {
				_, said, _ := strings.Cut(f.String(), ": ")
				said = strings.TrimSpace(strings.Split(changed, "\n")[f.Line-1]) + " <- " + said
				got = append(got, strings.NewReplacer(path, "FILE", filepath.Dir(path), "DIR").Replace(said))
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
