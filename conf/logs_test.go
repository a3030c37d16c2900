package conf

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// Fluent Bit's own --dry-run is of no use: it pauses a Go input that it never
// initialised, and crashes (5.1.1). So all of these run.

func TestFluentBit_Events(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := p.run("fluent-bit.yaml")
	f.Until("every event is printed", func() bool {
		events, _ := streams(decode(t, f.Out.String()))
		return distinct(events) >= p.server.Store().Len()
	})
	f.stop(t)
	events, _ := streams(decode(t, f.Out.String()))
	if distinct(events) != len(events) {
		t.Errorf("%d records of %d events", len(events), distinct(events))
	}
	noSecrets(t, f.Out.String(), f.Err.String())
}

// A log that is rotated while it is read, beside that of another container that
// prints what looks like a login.
func TestFluentBit_Docker(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	lines := logLines(t)
	want := actionIDs(lines)
	half := len(lines) / 2
	file := logFile("c0ffee01")
	// Longer than tail's default buffer, and than the one that it has here.
	long := docker([]string{strings.Repeat("x", 100_000), strings.Repeat("y", 2_000_000)}, "zitadel")
	p.write(file, long+docker(lines[:half], "zitadel"))
	p.write(logFile("bad0bad0"), docker(lines, "web")+docker([]string{`x","stream":"stderr","attrs":{"tag":"zitadel"},"time":"`, lines[7]}, "zitadel2"))
	f := p.run("docker.yaml")
	got := func() []string {
		_, actions := streams(decode(t, f.Out.String()))
		return actions
	}
	f.Until("the first half is printed", func() bool { return len(got()) >= len(actionIDs(lines[:half])) })
	if err := os.Rename(p.path(file), p.path(file+".1")); err != nil {
		t.Fatal(err)
	}
	p.write(file, docker(lines[half:], "zitadel"))
	f.Until("the other half is printed", func() bool { return len(got()) >= len(want) })
	f.stop(t)

	if d := cmp.Diff(want, got()); d != "" {
		t.Errorf("actions, of plugins as new as this test (./build.sh plugin)? (-want +got):\n%s", d)
	}
	outcomes := map[string]int{}
	for _, r := range decode(t, f.Out.String()) {
		if r.Login != nil {
			outcomes[fmt.Sprint(r.Login["outcome"])]++
		}
	}
	if outcomes["success"] == 0 || outcomes["failure"] == 0 {
		t.Errorf("outcomes %v", outcomes)
	}
	if !strings.Contains(f.Out.String(), `"log_file":"`+p.path(file)) {
		t.Error("the records do not say which container it was")
	}
	noSecrets(t, f.Out.String(), f.Err.String())

	info, err := os.Stat(p.path("zitadel.sock"))
	if err == nil && info.Mode().Perm() != 0o600 {
		t.Errorf("the socket has %v", info.Mode())
	}
}

// Law 2, for lines: a Fluent Bit that is killed, again and again, loses none.
func TestFluentBit_KilledLosesNoLine(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	lines := logLines(t)
	want := actionIDs(lines)
	file := logFile("c0ffee01")
	p.write(file, "")
	log, err := os.OpenFile(p.path(file), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()

	printed := ""
	const parts = 4
	for i := range parts {
		f := p.run("docker.yaml")
		part := lines[i*len(lines)/parts : (i+1)*len(lines)/parts]
		if _, err := log.WriteString(docker(part, "zitadel")); err != nil {
			t.Fatal(err)
		}
		f.Until("some of it is printed", func() bool { return strings.Contains(f.Out.String(), `"source":"action_log"`) })
		if i < parts-1 {
			f.Kill() // the rest may be anywhere
			printed += f.Out.String()
			printed = printed[:strings.LastIndex(printed, "\n")+1] // it can end in the middle of a line
			continue
		}
		f.Until("all of it is printed", func() bool {
			_, actions := streams(decode(t, printed+f.Out.String()))
			return cmp.Equal(want, slices.Compact(actions))
		})
		f.stop(t)
	}
}

// cri writes lines as the runtimes of Kubernetes keep them, one of them in parts.
func cri(lines []string) string {
	const head = "2026-11-22T09:24:58.001346628Z stderr "
	var b strings.Builder
	for i, line := range lines {
		for i == 7 && len(line) > 500 {
			b.WriteString(head + "P " + line[:500] + "\n")
			line = line[500:]
		}
		b.WriteString(head + "F " + line + "\n")
	}
	return b.String()
}

func TestFluentBit_Kubernetes(t *testing.T) {
	t.Parallel()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path != "/api/v1/namespaces/zitadel/pods/zitadel-6c9f7b-abcde" || r.Header.Get("Authorization") != "Bearer of-the-pod" {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"kind": "Status", "code": 404}`)
			return
		}
		// More than 32 KB, as pods with large annotations have.
		_, _ = io.WriteString(w, `{"kind": "Pod", "metadata": {"name": "zitadel-6c9f7b-abcde", "namespace": "zitadel", "uid": "u-1",
			"labels": {"app.kubernetes.io/name": "zitadel"}, "annotations": {"large": "`+strings.Repeat("x", 40_000)+`"}},
			"spec": {"nodeName": "node-1", "containers": [{"name": "zitadel"}]}, "status": {"podIP": "10.0.0.1"}}`)
	}))
	t.Cleanup(api.Close)

	p := newPlace(t)
	p.write("serviceaccount/token", "of-the-pod")
	p.change = append(p.change,
		"/var/run/secrets/kubernetes.io/serviceaccount/", p.path("serviceaccount")+"/",
		"https://kubernetes.default.svc:443", api.URL,
		"/var/log/containers/", p.path("log")+"/",
		"log.zitadel.var.log.containers.", "log.zitadel."+strings.ReplaceAll(p.path("log")[1:], "/", ".")+".",
	)
	lines := logLines(t)
	want := actionIDs(lines)
	// As on a node: /var/log/containers holds links into /var/log/pods.
	p.write("pods/zitadel_zitadel-6c9f7b-abcde_u-1/zitadel/0.log", cri(lines))
	p.write("pods/other/0.log", cri(lines))
	p.write("log/README", "")
	for link, target := range map[string]string{
		"zitadel-6c9f7b-abcde_zitadel_zitadel-": "pods/zitadel_zitadel-6c9f7b-abcde_u-1/zitadel/0.log",
		"zitadel-1_tenant_zitadel-":             "pods/other/0.log",
	} {
		if err := os.Symlink(p.path(target), p.path("log", link+strings.Repeat("0a", 32)+".log")); err != nil {
			t.Fatal(err)
		}
	}
	f := p.run("kubernetes.yaml")
	got := func() []string {
		_, actions := streams(decode(t, f.Out.String()))
		return actions
	}
	f.Until("every login is printed", func() bool { return len(got()) >= len(want) })
	f.stop(t)

	if d := cmp.Diff(want, got()); d != "" {
		t.Errorf("actions, of plugins as new as this test (./build.sh plugin)? (-want +got):\n%s", d)
	}
	for line := range strings.Lines(f.Out.String()) {
		var r struct {
			Event      struct{}
			Kubernetes *struct {
				Pod       string            `json:"pod_name"`
				Namespace string            `json:"namespace_name"`
				Container string            `json:"container_name"`
				Labels    map[string]string `json:"labels"`
			}
		}
		if !strings.HasPrefix(line, "{") {
			continue
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if k := r.Kubernetes; k == nil || k.Pod != "zitadel-6c9f7b-abcde" || k.Namespace != "zitadel" || k.Container != "zitadel" ||
			k.Labels["app.kubernetes.io/name"] != "zitadel" {
			t.Fatalf("metadata of the pod: %.2000s", line)
		}
	}
	noSecrets(t, f.Out.String(), f.Err.String())
}

func TestFluentBit_ForwardToAggregator(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	cert := newCertificate(t)
	port := testkit.FreePort(t)
	aggregator := receiver(t, p, port, `
    - name: forward
      listen: 127.0.0.1
      port: `+port+cert.options)
	p.change = append(p.change, "aggregator.example.com", "localhost", "port: 24224", "port: "+port, "tls.verify: on", "tls.verify: on\n      tls.ca_file: "+cert.file)
	f := p.run("forward-to-aggregator.yaml")
	f.Until("every event is there", func() bool {
		events, _ := streams(decode(t, aggregator.Out.String()))
		return distinct(events) >= p.server.Store().Len()
	})
	f.stop(t)
	noSecrets(t, aggregator.Out.String(), f.Out.String(), f.Err.String())
}

// notRun is run by TestKafka_TheRealProtocolGetsEveryAwkwardRecord (make receivers) only.
const notRun = "kafka.yaml"

// Every configuration is run by one of these tests, or says that it is not.
func TestEveryConfigurationIsRun(t *testing.T) {
	files := []string{"fluent-bit.yaml", "forward-to-aggregator.yaml", "docker.yaml", "kubernetes.yaml", sources, notRun}
	for _, s := range siems {
		files = append(files, s.file)
	}
	for _, d := range destinations {
		files = append(files, d.file)
	}
	slices.Sort(files)
	if d := cmp.Diff(files, names(t)); d != "" {
		t.Error(d)
	}
}
