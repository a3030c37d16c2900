//go:build receivers

package conf

import (
	"cmp"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// lokiConfig is a Loki of one process, with the two changes that the head of loki.yaml
// asks for: recorded logins keep the date of the recording.
const lokiConfig = `
auth_enabled: false
analytics: {reporting_enabled: false}
server:
  http_listen_address: 127.0.0.1
  http_listen_port: PORT
  grpc_listen_address: 127.0.0.1
  grpc_listen_port: GRPC
  log_level: warn
  http_tls_config: {cert_file: CERT, key_file: KEY}
common:
  instance_addr: 127.0.0.1
  path_prefix: DIR
  replication_factor: 1
  ring: {instance_addr: 127.0.0.1, kvstore: {store: inmemory}}
  storage: {filesystem: {chunks_directory: DIR/chunks, rules_directory: DIR/rules}}
schema_config:
  configs: [{from: 2020-01-01, store: tsdb, object_store: filesystem, schema: v13, index: {prefix: index_, period: 24h}}]
ingester:
  max_chunk_age: 1000h
  lifecycler: {min_ready_duration: 0s}
limits_config:
  allow_structured_metadata: true
  reject_old_samples: false
  max_query_length: 0
  split_queries_by_interval: 0
  split_instant_metric_queries_by_interval: 0
`

// A real Loki has every record of conf/loki.yaml once, finds records by their fields, and
// answers the queries of the dashboard.
func TestLoki_TheRealOneFindsWhatWasSent(t *testing.T) {
	p := newPlace(t)
	l := startLoki(t)

	store := zitadeltest.NewStore()
	at := time.Now().Add(-2 * time.Minute)
	store.Append(zitadeltest.RecordedEvents(at)...)
	recorded := store.Len()
	for i := range awkwardEvents {
		store.Append(awkwardEvent(i, at.Add(time.Duration(i+1)*time.Millisecond)))
	}
	server := zitadeltest.Serve(t, store, zitadeltest.Options{})
	p.write("token", server.Token())
	logins := logLines(t)
	p.write(logFile("c0ffee01"), docker(logins, "zitadel"))
	p.change = append([]string{"https://zitadel.example.com", server.URL(), "start: beginning\n", "start: beginning\n      heartbeat: 1s\n", "format: ${ZITADEL_FORMAT:-raw}", "format: ${ZITADEL_FORMAT:-raw}\n      tier: noise"}, p.change...)
	p.change = append(p.change, "loki.example.com", "localhost", "port: 3100", "port: "+l.port, "# tls.ca_file: /etc/fluent-bit/ca.crt", "tls.ca_file: "+l.authority)
	f := p.run("loki.yaml")

	const events, actions = `{job="zitadel", source="events_api"} | json kind="event.kind" | kind="event"`, `{job="zitadel", source="action_log"}`
	wantActions := len(actionIDs(logins))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Loki has %d events of %d, %d records of the log of %d", l.count(events), recorded+awkwardEvents, l.count(actions), wantActions)
		}
	})
	f.Until("everything is there", func() bool { return l.count(events) >= recorded+awkwardEvents && l.count(actions) >= wantActions })
	f.Until("a heartbeat is there", func() bool { return l.count(`{job="zitadel"} | json kind="event.kind" | kind="metric"`) > 0 })
	f.stop(t)
	if got := l.count(events); got != recorded+awkwardEvents {
		t.Errorf("%d events, want %d", got, recorded+awkwardEvents)
	}
	if got := l.count(actions); got != wantActions {
		t.Errorf("%d records of the log, want %d", got, wantActions)
	}
	instance := strings.TrimPrefix(server.URL(), "http://")
	t.Run("EachAwkwardEventOnceAsItWas", func(t *testing.T) { l.wantAwkward(t, instance) })
	t.Run("ByTheFieldsOfECS", func(t *testing.T) { l.wantFields(t) })
	t.Run("TheQueriesOfTheDashboard", func(t *testing.T) { l.wantPanels(t) })
}

// loki is a running one.
type loki struct {
	t               *testing.T
	port, authority string
	client          *http.Client
	from            time.Time // before every record
}

// noProxy is what go says when it cannot download a module.
var noProxy = regexp.MustCompile(`Get "http|reading http|module lookup disabled`)

// startLoki builds it from the module proxy and waits until it is ready.
func startLoki(t *testing.T) *loki {
	t.Helper()
	program := t.TempDir() + "/loki"
	build := exec.Command("go", "build", "-o", program, "github.com/grafana/loki/v3/cmd/loki")
	build.Dir = "receivers/loki"
	if out, err := build.CombinedOutput(); err != nil {
		if noProxy.Match(out) {
			t.Skipf("Loki was NOT run: its modules cannot be downloaded: %.1000s", out)
		}
		t.Fatalf("%v: %s", err, out)
	}

	dir := t.TempDir()
	ca := testkit.NewAuthority(t)
	cert, key := ca.Issue(t, "localhost")
	l := &loki{t: t, port: testkit.FreePort(t), authority: ca.File(), from: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
	l.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}}, Timeout: 30 * time.Second}
	t.Cleanup(l.client.CloseIdleConnections)
	config := strings.NewReplacer("PORT", l.port, "GRPC", testkit.FreePort(t), "CERT", cert, "KEY", key, "DIR", dir).Replace(lokiConfig)
	if err := os.WriteFile(dir+"/loki.yaml", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	process := testkit.Start(t, exec.Command(program, "-config.file="+dir+"/loki.yaml"), nil)
	process.Until("Loki is ready", func() bool {
		answer, err := l.client.Get("https://localhost:" + l.port + "/ready")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	return l
}

// row is a line with the labels it has after the query, or a series of numbers.
type row struct {
	labels map[string]string
	line   string
	value  float64 // the sum of the series
}

// query asks for a range, as a panel of lines or of time does, or for one moment.
func (l *loki) query(t *testing.T, kind, q string) (rows []row) {
	t.Helper()
	now := time.Now()
	form := url.Values{"query": {q}, "limit": {"5000"}}
	path := "query"
	if kind == "range" {
		path = "query_range"
		form.Set("start", fmt.Sprint(now.Add(-2*time.Hour).UnixNano())) // the events are younger
		form.Set("end", fmt.Sprint(now.UnixNano()))
		form.Set("step", "1m")
	}
	answer, err := l.client.Get("https://localhost:" + l.port + "/loki/api/v1/" + path + "?" + form.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v %s %.1000s", q, err, answer.Status, body)
	}
	var got struct {
		Data struct {
			Result []struct {
				Stream, Metric map[string]string
				Values         [][2]any
				Value          [2]any
			}
		}
	}
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	for _, r := range got.Data.Result {
		if r.Stream != nil {
			for _, v := range r.Values {
				rows = append(rows, row{labels: r.Stream, line: fmt.Sprint(v[1])})
			}
			continue
		}
		one := row{labels: r.Metric}
		for _, v := range append(r.Values, r.Value) {
			if v[1] != nil {
				n, err := strconv.ParseFloat(fmt.Sprint(v[1]), 64)
				if err != nil {
					t.Fatal(err)
				}
				one.value += n
			}
		}
		rows = append(rows, one)
	}
	return rows
}

// everything is a range that reaches back before every record.
func (l *loki) everything() string { return fmt.Sprintf("%dh", int(time.Since(l.from).Hours())) }

// count is how many lines a query has.
func (l *loki) count(q string) (n int) {
	l.t.Helper()
	for _, r := range l.query(l.t, "instant", "sum(count_over_time("+q+" ["+l.everything()+"]))") {
		n += int(r.value)
	}
	return n
}

func (l *loki) wantAwkward(t *testing.T, instance string) {
	want := wantedAwkward(instance, awkwardEvents)
	for _, r := range l.query(t, "range", `{job="zitadel", source="events_api"} | json actor="zitadel.actor.id" | actor="77"`) {
		record, err := strictJSON([]byte(r.line))
		if err != nil {
			t.Fatal(err)
		}
		got := ecsArrived(record)
		if want[got.user] != got {
			t.Errorf("%+v, want %+v (empty: twice, or never sent)", got, want[got.user])
		}
		delete(want, got.user)
	}
	if len(want) != 0 {
		t.Errorf("%d of %d awkward events are not there", len(want), awkwardEvents)
	}
}

func (l *loki) wantFields(t *testing.T) {
	want := map[string]int{
		`{job="zitadel"} | json | source_ip="203.0.113.7" | event_outcome="failure" | zitadel_actor_id="77"`: awkwardEvents,
		`{job="zitadel"} | json | source_ip="203.0.113.8" | event_outcome="failure" | zitadel_actor_id="77"`: 0,
		// The logins of logLines.
		`{job="zitadel", source="action_log"} | json | user_name="alice" | source_ip="127.0.0.1" | event_outcome="success"`:                               2,
		`{job="zitadel", source="action_log"} | json | user_name="alice" | source_ip="127.0.0.1" | event_outcome="failure"`:                               1,
		`{job="zitadel", source="action_log"} | json | user_name="bob, remoteAddr/6.6.6.6, request/{}" | source_ip="127.0.0.1" | event_outcome="failure"`: 1,
		`{job="zitadel", source="action_log"} | json | user_name="bob"`:                                                                                   0,
	}
	for i, value := range awkward {
		want[`{job="zitadel"} | json | user_agent_original=`+strconv.Quote(fmt.Sprintf("agent %d %s", i, value))] = 1
	}
	for q, n := range want {
		if got := l.count(q); got != n {
			t.Errorf("%s: %d, want %d", q, got, n)
		}
	}
}

func (l *loki) wantPanels(t *testing.T) {
	data, err := os.ReadFile("../dashboards/audit.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, QueryType string }
		}
	}
	if err := json.Unmarshal(data, &board); err != nil {
		t.Fatal(err)
	}
	if len(board.Panels) < 10 {
		t.Fatalf("%d panels", len(board.Panels))
	}
	variables := strings.NewReplacer("$instance", ".+", "$__interval", "1m", "$__range", l.everything())
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			rows := l.query(t, cmp.Or(target.QueryType, "range"), variables.Replace(target.Expr))
			if len(rows) == 0 {
				t.Errorf("%s: no row", panel.Title)
			}
			t.Logf("%s: %d rows", panel.Title, len(rows))
			if failed := slices.ContainsFunc(rows, func(r row) bool { return r.labels["outcome"] == "failure" && r.value >= awkwardEvents }); panel.Title == "Logins by outcome" && !failed {
				t.Errorf("%s: %v, want %d failures or more", panel.Title, rows, awkwardEvents)
			}
		}
	}
}
