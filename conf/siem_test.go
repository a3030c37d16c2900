package conf

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// siems are the configurations that name one, with a receiver for each: Fluent
// Bit's own input where there is one, a small server otherwise.
var siems = []struct {
	file, host, port string
	env              []string
	receive          func(t *testing.T, p *place, port string, cert certificate) delivery
	holds            string // what the receiver gets beside the record
}{
	{"splunk.yaml", "splunk.example.com", "8088", []string{"SPLUNK_HEC_TOKEN=11111111-2222-3333-4444-555555555555"}, receiveSplunk, `"sourcetype":"zitadel:audit","fields":{"event_id":"`},
	{"elasticsearch.yaml", "elastic.example.com", "9200", []string{"ELASTIC_USER=writer", "ELASTIC_PASSWORD=of-the-writer"}, receiveBulk, `"ecs":{"version":"`},
	{"opensearch.yaml", "opensearch.example.com", "9200", []string{"OPENSEARCH_USER=writer", "OPENSEARCH_PASSWORD=of-the-writer"}, receiveBulk, `"ecs":{"version":"`},
	{"loki.yaml", "loki.example.com", "3100", nil, receiveLoki, ""},
	{"syslog-tls.yaml", "syslog.example.com", "6514", nil, receiveSyslog, `"type":"user.human.added"`},
	{"syslog-cef.yaml", "syslog.example.com", "6514", nil, receiveOldSyslog, `"message":"CEF:0|ZITADEL|ZITADEL|`},
	{"syslog-leef.yaml", "syslog.example.com", "6514", nil, receiveOldSyslog, `"message":"LEEF:2.0|ZITADEL|ZITADEL|`},
	{"http.yaml", "siem.example.com", "443", []string{"HTTP_AUTHORIZATION=Bearer of-the-sender"}, receiveHTTP, ""},
}

// delivery is what a receiver has.
type delivery struct {
	records func() []record
	text    func() string // all that came
	settled func() bool   // nil: as soon as everything is there
	trouble []string      // errors that Fluent Bit is right to log
}

func TestFluentBit_DeliversBothStreams(t *testing.T) {
	for _, s := range siems {
		t.Run(s.file, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			cert := newCertificate(t)
			port := testkit.FreePort(t)
			d := s.receive(t, p, port, cert)

			lines := logLines(t)
			want := actionIDs(lines)
			if s.file == "syslog-cef.yaml" || s.file == "syslog-leef.yaml" {
				want = hashed(want)
				slices.Sort(want)
			}
			p.change = append(p.change, "format: ${ZITADEL_FORMAT:-raw}", "format: ${ZITADEL_FORMAT:-raw}\n      tier: noise")
			p.write(logFile("c0ffee01"), docker(lines, "zitadel"))
			p.change = append(p.change, s.host, "localhost", "port: "+s.port, "port: "+port, "      tls.verify: on\n", "      tls.verify: on\n      tls.ca_file: "+cert.file+"\n")
			f := p.run(s.file, s.env...)
			f.Until("everything is there", func() bool {
				events, actions := streams(d.records())
				return distinct(events) >= p.server.Store().Len() && len(actions) >= len(want) && (d.settled == nil || d.settled())
			})
			f.stop(t, d.trouble...)

			events, actions := streams(d.records())
			if len(events) != p.server.Store().Len() || distinct(events) != len(events) {
				t.Errorf("%d records of %d events, want each of %d once", len(events), distinct(events), p.server.Store().Len())
			}
			if diff := cmp.Diff(want, actions); diff != "" {
				t.Errorf("actions, of plugins as new as this test (./build.sh plugin)? (-want +got):\n%s", diff)
			}
			if !strings.Contains(d.text(), s.holds) {
				t.Errorf("nothing holds %s", s.holds)
			}
			noSecrets(t, d.text(), f.Out.String(), f.Err.String())
		})
	}
}

// certificate is one for localhost.
type certificate struct {
	tls.Certificate
	file    string // of the authority
	options string // of an input of Fluent Bit
}

func newCertificate(t *testing.T) certificate {
	t.Helper()
	ca := testkit.NewAuthority(t)
	cert, key := ca.Issue(t, "localhost")
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return certificate{pair, ca.File(), "\n      tls: on\n      tls.crt_file: " + cert + "\n      tls.key_file: " + key + "\n"}
}

// receiver starts another Fluent Bit, which prints what its input gets, and
// waits until it listens.
func receiver(t *testing.T, p *place, port, input string, more ...string) process {
	t.Helper()
	p.write("receiver.yaml", "service:\n  flush: 0.2\n  grace: 1\n"+strings.Join(more, "")+"pipeline:\n  inputs:"+input+`
  outputs:
    - name: stdout
      match: "*"
      format: json_lines
`)
	r := start(t, p.path("receiver.yaml"))
	r.Until("the receiver listens", func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return r
}

func printed(t *testing.T, r process, inner ...string) delivery {
	return delivery{records: func() []record { return decode(t, r.Out.String(), inner...) }, text: r.Out.String}
}

func receiveSplunk(t *testing.T, p *place, port string, cert certificate) delivery {
	return printed(t, receiver(t, p, port, `
    - name: splunk
      listen: 127.0.0.1
      port: `+port+`
      splunk_token: 11111111-2222-3333-4444-555555555555`+cert.options), "event")
}

func receiveSyslog(t *testing.T, p *place, port string, cert certificate) delivery {
	return printed(t, receiver(t, p, port, `
    - name: syslog
      mode: tcp
      listen: 127.0.0.1
      port: `+port+`
      parser: rfc5424
      buffer_chunk_size: 128k
      buffer_max_size: 1M`+cert.options, `
parsers:
  - name: rfc5424
    format: regex
    regex: '^<(?<pri>109)>1 (?<time>[0-9T:.-]{26}Z) (?<host>[!-~]+) zitadel - (?<type>[!-~]{1,32}) - (?<message>.+)$'
`), "message")
}

func receiveOldSyslog(t *testing.T, p *place, port string, cert certificate) delivery {
	return printed(t, receiver(t, p, port, `
    - name: syslog
      mode: tcp
      listen: 127.0.0.1
      port: `+port+`
      parser: rfc3164
      buffer_chunk_size: 128k
      buffer_max_size: 1M`+cert.options, `
parsers:
  - name: rfc3164
    format: regex
    regex: '^<(?<pri>10[6-9]|110)>(?<time>[A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8}) (?<host>[!-~]+) (?<message>(CEF|LEEF):.+)$'
`), "message")
}

func receiveHTTP(t *testing.T, p *place, port string, cert certificate) delivery {
	var got testkit.Text
	serve(t, port, cert, func(w http.ResponseWriter, r *http.Request) {
		body := body(t, r)
		if r.URL.Path != "/zitadel" || r.Header.Get("Authorization") != "Bearer of-the-sender" {
			t.Errorf("%s with %q", r.URL, r.Header.Get("Authorization"))
			w.WriteHeader(http.StatusForbidden)
			return
		}
		if !bytes.HasSuffix(body, []byte("\n")) {
			body = append(body, '\n')
		}
		_, _ = got.Write(body)
	})
	return delivery{records: func() []record { return decode(t, got.String()) }, text: got.String}
}

func receiveLoki(t *testing.T, p *place, port string, cert certificate) delivery {
	var got testkit.Text
	serve(t, port, cert, func(w http.ResponseWriter, r *http.Request) {
		var push struct {
			Streams []struct {
				Stream map[string]string
				Values [][]string
			}
		}
		if err := json.Unmarshal(body(t, r), &push); err != nil || r.URL.Path != "/loki/api/v1/push" {
			t.Errorf("%s: %v", r.URL, err)
		}
		for _, s := range push.Streams {
			if s.Stream["job"] != "zitadel" || s.Stream["source"] == "" || len(s.Stream) > 3 {
				t.Errorf("labels %v", s.Stream)
			}
			for _, v := range s.Values { // what became a label has left the line
				line := strings.Replace(v[1], `"event":{`, `"event":{"provider":"`+s.Stream["source"]+`",`, 1)
				if line == v[1] || strings.Count(line, `"provider":`) != 1 || strings.Contains(line, `"instance":"`) {
					t.Errorf("line %.300s", line)
				}
				fmt.Fprintln(&got, line)
			}
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return delivery{records: func() []record { return decode(t, got.String()) }, text: got.String}
}

// bulk is the part of the bulk API that the two search engines share. Of its
// first request it refuses every third document, as a busy one does; the answer
// to its third request is lost.
type bulk struct {
	t        *testing.T
	mu       sync.Mutex
	requests int
	docs     map[string]record // by index and _id
	open     map[string]bool   // documents that Fluent Bit has to send again
	text     testkit.Text
}

func receiveBulk(t *testing.T, p *place, port string, cert certificate) delivery {
	b := &bulk{t: t, docs: map[string]record{}, open: map[string]bool{}}
	serve(t, port, cert, b.serve)
	return delivery{
		records: b.records, text: b.text.String,
		settled: func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.requests > 3 && len(b.open) == 0
		},
		trouble: []string{"[http_client] broken connection"},
	}
}

// records are the documents.
func (b *bulk) records() []record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Values(b.docs))
}

func (b *bulk) serve(w http.ResponseWriter, r *http.Request) {
	if user, password, _ := r.BasicAuth(); user != "writer" || password != "of-the-writer" || r.URL.Path != "/_bulk" {
		b.t.Errorf("%s by %s", r.URL, user)
	}
	lines := bytes.Split(bytes.TrimSuffix(body(b.t, r), []byte("\n")), []byte("\n"))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests++
	_, _ = b.text.Write(bytes.Join(lines, []byte("\n")))
	type item map[string]map[string]any
	var items []item
	lost, refused := b.requests == 3, false
	for i := 0; i+1 < len(lines); i += 2 {
		var doc record
		if err := json.Unmarshal(lines[i+1], &doc); err != nil {
			b.t.Errorf("document %s: %v", lines[i+1], err)
		}
		key := b.key(lines[i], doc)
		if strings.HasSuffix(key, "/") {
			key += fmt.Sprint(b.requests, ".", i) // it gives one
		}
		// The real thing says more about each: a large answer must not be cut.
		answer := map[string]any{"_index": "zitadel", "_id": key, "result": strings.Repeat("x", 300), "status": http.StatusCreated}
		busy := b.requests == 1 && i/2%3 == 0
		if busy || lost {
			b.open[key] = true
		} else {
			delete(b.open, key)
		}
		if busy {
			refused = true
			answer["status"], answer["error"] = http.StatusTooManyRequests, map[string]string{"type": "es_rejected_execution_exception"}
		} else {
			b.docs[key] = doc
		}
		items = append(items, item{"index": answer})
	}
	if lost {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"took": 1, "errors": refused, "items": items})
}

// key is the index and the _id that an action asks for.
func (b *bulk) key(line []byte, doc record) string {
	var action struct {
		Index struct {
			Index string `json:"_index"`
			ID    string `json:"_id"`
		}
	}
	if err := json.Unmarshal(line, &action); err != nil || !bytes.HasPrefix(line, []byte(`{"index":`)) {
		b.t.Errorf("action %s: %v", line, err)
	}
	if id, _ := doc.Event["id"].(string); action.Index.ID != id || id == "" {
		b.t.Errorf("the document %q has the id %q", id, action.Index.ID)
	}
	if bytes.Count(line, []byte(`"@timestamp"`)) > 1 {
		b.t.Errorf("two times in %s", line)
	}
	if day, _ := doc.Event["time"].(string); day != "" && action.Index.Index != "zitadel-"+strings.ReplaceAll(day[:10], "-", ".") {
		b.t.Errorf("a document of %s goes to %s", day, action.Index.Index)
	}
	return action.Index.Index + "/" + action.Index.ID
}

// serve answers over TLS on a port of loopback.
func serve(t *testing.T, port string, cert certificate, handler http.HandlerFunc) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(handler)
	s.Listener.Close()
	s.Listener = l
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert.Certificate}}
	s.StartTLS()
	t.Cleanup(s.Close)
}

func body(t *testing.T, r *http.Request) []byte {
	t.Helper()
	in := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if in, err = gzip.NewReader(r.Body); err != nil {
			t.Error(err)
			return nil
		}
	}
	b, err := io.ReadAll(in)
	if err != nil {
		t.Error(err)
	}
	return b
}
