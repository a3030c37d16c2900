package conf

import (
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// destination is a configuration with a receiver that checks what the real service
// checks. All of one format run in one Fluent Bit.
type destination struct {
	file, format string
	address      string // host and port of the service; empty: a file
	env          []string
	change       []string // what the test has to change: old and new, in turn
	http         func(*desk) service
	tcp          func(*desk) func(net.Conn)
	path         string // of a file, below /var/lib/fluent-bit
	late         bool   // it sends nothing in the first seconds, and has it in the directory s3
	systemCA     bool   // it verifies with the authorities of the system only
}

var destinations = []destination{
	{
		file: "sentinel.yaml", format: "ecs", address: "zitadel-abcd.westeurope-1.ingest.monitor.azure.com:443", http: sentinelService,
		env: []string{"AZURE_TENANT_ID=11111111-1111-1111-1111-111111111111", "AZURE_CLIENT_ID=client", "AZURE_CLIENT_SECRET=of the client", "AZURE_DCR_ID=dcr-0123456789abcdef", "AZURE_DCE_URL=https://zitadel-abcd.westeurope-1.ingest.monitor.azure.com"},
	},
	{
		file: "s3.yaml", format: "ocsf", address: "s3.eu-central-1.amazonaws.com:443", http: s3Service, late: true,
		env:    []string{"S3_BUCKET=siem-lake", "AWS_REGION=eu-central-1", "AWS_ACCOUNT_ID=123456789012", "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=of-the-writer"},
		change: []string{"upload_timeout: 5m", "upload_timeout: 1s"},
	},
	{
		file: "google-secops.yaml", format: "ecs", address: "malachiteingestion-pa.googleapis.com:443", http: secOpsService, systemCA: true,
		env: []string{"SECOPS_CUSTOMER_ID=c8c65bfa-5f2c-42d4-9189-64bb7b939f2c"},
	},
	{file: "datadog.yaml", format: "ecs", address: "http-intake.logs.datadoghq.eu:443", http: datadogService, env: []string{"DD_HOST=http-intake.logs.datadoghq.eu", "DD_API_KEY=0123456789abcdef0123456789abcdef"}},
	{file: "newrelic.yaml", format: "ecs", address: "log-api.newrelic.com:443", http: newRelicService, env: []string{"NEW_RELIC_LICENSE_KEY=eu01xx0123456789abcdef0123456789FFFFNRAL"}},
	{file: "otlp.yaml", format: "ecs", address: "otlp.example.com:4318", http: otlpService, env: []string{"OTLP_AUTHORIZATION=Bearer of-the-sender"}},
	{file: "grafana-cloud.yaml", format: "ecs", address: "logs-prod-012.grafana.net:443", http: grafanaService, env: []string{"GRAFANA_LOKI_HOST=logs-prod-012.grafana.net", "GRAFANA_LOKI_USER=123456", "GRAFANA_LOKI_TOKEN=glc_of-the-writer"}},
	{file: "graylog.yaml", format: "ecs", address: "graylog.example.com:12201", tcp: graylogService},
	{file: "file.yaml", format: "ecs", path: "log/zitadel.json"},
	{file: "wazuh.yaml", format: "ecs", path: "wazuh/zitadel.json"},
}

// arrived is what a record must hold when it is there.
type arrived struct{ id, user, agent, actor, sequence string }

// wantedAwkward are the records of n events, by the user.
func wantedAwkward(instance string, n int) map[string]arrived {
	want := map[string]arrived{}
	for i := range n {
		e := awkwardEvent(i, time.Time{})
		seq := fmt.Sprint(e.Sequence)
		want[e.AggregateID] = arrived{instance + "/user/" + e.AggregateID + "/" + seq, e.AggregateID, e.Payload.Fields["userAgent"].GetStringValue(), e.EditorName, seq}
	}
	return want
}

// awkwardEvent has a sequence above 2^53, which a double cannot hold.
func awkwardEvent(i int, at time.Time) zitadeltest.Event {
	value := awkward[i%len(awkward)]
	payload, err := structpb.NewStruct(map[string]any{"remoteIP": "203.0.113.7", "userAgent": fmt.Sprintf("agent %d %s", i, value)})
	if err != nil {
		panic(err)
	}
	return zitadeltest.Event{
		AggregateType: "user", AggregateID: fmt.Sprint(100000 + i), ResourceOwner: "9", Type: "user.human.password.check.failed", Sequence: 1<<53 + 1 + 2*uint64(i),
		EditorID: "77", EditorName: fmt.Sprint(i, " ", value), Payload: payload, CreatedAt: at,
	}
}

// Law 2, for each destination: 300 of 300 awkward records arrive as they are, though the
// service first fails and throttles, Fluent Bit is killed, an answer is lost, and another
// is slow.
func TestFluentBit_EveryDestinationGetsEveryAwkwardRecord(t *testing.T) {
	testkit.FluentBit(t)
	for _, format := range []string{"ecs", "ocsf"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			d := newDeliveryTest(t, format)
			d.append(0, awkwardEvents/2)
			first := d.start()
			first.Until("each service has refused something", func() bool { return d.all((*desk).hasRefused) })
			first.Kill()
			d.open()
			d.append(awkwardEvents/2, awkwardEvents)
			second := d.start()
			second.Until("every record is there, and Fluent Bit knows it", func() bool { return d.all((*desk).complete) && d.delivered() })
			second.Stop()
			d.judge(first.Err.String() + second.Err.String())
			noSecrets(t, first.Out.String(), second.Out.String())
		})
	}
}

// deliveryTest is one Fluent Bit with the destinations of one format.
type deliveryTest struct {
	t        *testing.T
	p        *place
	net      *internet
	store    *zitadeltest.Store
	env      []string
	desks    []*desk
	port     string // of Fluent Bit's metrics
	events   int
	instance string
	root     bool // with authorities of the system that are ours
}

// newDeliveryTest is with all destinations of a format, or with one.
func newDeliveryTest(t *testing.T, format string, only ...string) *deliveryTest {
	t.Helper()
	p := newPlace(t)
	d := &deliveryTest{t: t, p: p, net: newInternet(t), store: zitadeltest.NewStore()}
	server := zitadeltest.Serve(t, d.store, zitadeltest.Options{})
	p.change = append([]string{"https://zitadel.example.com", server.URL()}, p.change...)
	p.write("token", server.Token())
	p.write(logFile("c0ffee01"), "")
	d.events, d.instance = awkwardEvents, strings.TrimPrefix(server.URL(), "http://")
	want := wantedAwkward(d.instance, d.events)

	d.root, d.port = canReplaceSystemCA(), testkit.FreePort(t)
	p.change = append(p.change, "# http_server: on", "http_server: on\n  http_port: "+d.port, "# http_listen:", "http_listen:")
	main := "env:\n  ZITADEL_FORMAT: " + format + "\nincludes:\n  - " + sources + "\n"
	for _, to := range destinations {
		if to.format != format || len(only) > 0 && !slices.Contains(only, to.file) {
			continue
		}
		if to.systemCA && !d.root {
			t.Run(to.file, func(t *testing.T) {
				t.Skip("was NOT run: it needs a certificate authority of the system, and unshare -rm does not work here")
			})
			continue
		}
		k := &desk{t: t, file: to.file, late: to.late, want: want, got: map[string]arrived{}, net: d.net, place: p}
		d.desks = append(d.desks, k)
		p.write("conf/"+to.file, d.prepare(to, k))
		main += "  - " + to.file + "\n"
	}
	data, err := Files.ReadFile(sources)
	if err != nil {
		t.Fatal(err)
	}
	p.write("conf/"+sources, strings.NewReplacer(p.change...).Replace(string(data)))
	p.write("conf/main.yaml", main)
	return d
}

// prepare starts the receiver and returns the configuration: as it is shipped, but for
// directories, the certificate authority, and sources.yaml, which is included once.
func (d *deliveryTest) prepare(to destination, k *desk) string {
	d.t.Helper()
	data, err := Files.ReadFile(to.file)
	if err != nil {
		d.t.Fatal(err)
	}
	text := string(data)
	k.plugin = pluginName.FindStringSubmatch(text)[1]
	change := slices.Clone(to.change)
	d.env = append(d.env, to.env...)
	change = append(change, "includes:\n  - sources.yaml\n", "")
	if to.address != "" {
		change = append(change, "      tls.verify: on\n", "      tls.verify: on\n      tls.ca_file: "+d.net.ca.File()+"\n")
	}
	switch {
	case to.http != nil:
		s := to.http(k)
		change, d.env = append(change, s.change...), append(d.env, s.env...)
		k.service = s
		d.net.serve(to.address, k)
		for address, handler := range s.beside {
			d.net.serve(address, handler)
		}
	case to.tcp != nil:
		d.net.take(to.address, func(c net.Conn) {
			k.refused.Add(1)
			c.Close()
		})
		k.opened = func() { d.net.take(to.address, to.tcp(k)) }
	default:
		k.path = d.p.path(to.path)
	}
	for i := 0; i < len(change); i += 2 {
		if !strings.Contains(text, change[i]) {
			d.t.Fatalf("%s has no %q", to.file, change[i])
		}
		text = strings.ReplaceAll(text, change[i], change[i+1])
	}
	return strings.NewReplacer(d.p.change...).Replace(text)
}

func (d *deliveryTest) append(from, to int) {
	at := time.Now().Add(-time.Minute)
	for i := from; i < to; i++ {
		d.store.Append(awkwardEvent(i, at.Add(time.Duration(i)*time.Millisecond)))
	}
}

// systemCA is where Fluent Bit looks for the authorities of the system.
const systemCA = "/etc/ssl/certs"

var canReplaceSystemCA = sync.OnceValue(func() bool {
	return exec.Command("unshare", "-rm", "mount", "--bind", systemCA, systemCA).Run() == nil
})

func (d *deliveryTest) start() process {
	d.t.Helper()
	cmd := exec.Command(testkit.FluentBit(d.t), "-c", d.p.path("conf/main.yaml"))
	if d.root {
		ours, err := os.ReadFile(d.net.ca.File())
		if err != nil {
			d.t.Fatal(err)
		}
		d.p.write("certs/ca-bundle.crt", string(ours))
		d.p.write("certs/ca-certificates.crt", string(ours))
		cmd = exec.Command("unshare", "-rm", "sh", "-c", `mount --bind "$1" "$2" && shift 2 && exec "$@"`, "-", d.p.path("certs"), systemCA, cmd.Path, "-c", cmd.Args[2])
	}
	cmd.Env = append(append(os.Environ(), d.env...), d.net.env()...)
	return process{testkit.Start(d.t, cmd, nil)}
}

func (d *deliveryTest) all(ok func(*desk) bool) bool {
	return !slices.ContainsFunc(d.desks, func(k *desk) bool { return !ok(k) })
}

func (d *deliveryTest) open() {
	for _, k := range d.desks {
		k.open.Store(true)
		if k.opened != nil {
			k.opened()
		}
	}
}

// judge compares what each receiver has, and what Fluent Bit said.
func (d *deliveryTest) judge(said string) {
	d.t.Helper()
	for line := range strings.Lines(said) {
		if strings.Contains(line, "cannot be retried") || strings.Contains(line, "unknown configuration property") {
			d.t.Error(line)
		}
	}
	for _, k := range d.desks {
		got := k.records()
		for user, want := range k.want {
			if k.wants != nil {
				want = k.wants(want)
			}
			if got[user] != want {
				d.t.Errorf("%s: user %s\n got %q\nwant %q", k.file, user, got[user], want)
				break
			}
		}
		if len(got) != len(k.want) {
			d.t.Errorf("%s: %d of %d records", k.file, len(got), len(k.want))
		}
	}
}

// fileRecords are those of a file and the files that it was rotated to.
func (k *desk) fileRecords() map[string]arrived {
	got := map[string]arrived{}
	paths, _ := filepath.Glob(k.path + "*")
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			if !strings.HasSuffix(line, "\n") {
				continue // it is being written
			}
			m, err := strictJSON([]byte(line))
			if err != nil {
				continue // half a line stands where Fluent Bit was killed
			}
			a := ecsArrived(m)
			got[a.user] = a
		}
	}
	return got
}

// records are those that the receiver has, by the user.
func (k *desk) records() map[string]arrived {
	if k.path != "" {
		return k.fileRecords()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.got)
}

func (k *desk) complete() bool { return len(k.records()) >= len(k.want) && k.afterOpen.Load() != 1 }

func (k *desk) hasRefused() bool {
	if k.late { // it has something to send after the restart
		return k.place.holdsFile("s3")
	}
	return k.refused.Load() > 0 || k.path != "" && len(k.records()) > 0
}

// holdsFile says whether a file is in a directory or below it.
func (p *place) holdsFile(dir string) (found bool) {
	_ = filepath.WalkDir(p.path(dir), func(_ string, e fs.DirEntry, err error) error {
		found = found || err == nil && e.Type().IsRegular()
		return nil
	})
	return found
}
