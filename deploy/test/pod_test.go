package deploy

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
)

// built is the directory with what build.sh has built.
func built(t *testing.T, file string) string {
	t.Helper()
	dir := os.Getenv("ZITADEL_SIEM_BUILT")
	if dir == "" {
		dir = "../../build"
	}
	path, err := filepath.Abs(filepath.Join(dir, file))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Fatalf("%v: run make build", err)
	}
	return path
}

// fluentBit is the real one. The tests that need it are skipped without it.
func fluentBit(t *testing.T) string {
	t.Helper()
	path := os.Getenv("FLUENT_BIT")
	if path == "" {
		path, _ = exec.LookPath("fluent-bit")
	}
	if path == "" {
		t.Skip("no fluent-bit on PATH, and FLUENT_BIT is not set: the configuration was NOT given to the real one")
	}
	return path
}

// pod is a container of a pod with the files that its volumes have, below a
// directory of the test. Paths in arguments and in configurations are changed to match.
type pod struct {
	container core.Container
	root      string
	moved     *strings.Replacer
}

// run makes a pod of the StatefulSet or the Deployment, as the kubelet does: from the volumes, the ConfigMaps
// of the chart and the secrets of the cluster. What is not there is an error.
func run(t *testing.T, all objects, c func(core.PodSpec) core.Container) pod {
	t.Helper()
	spec := podTemplate(t, all).Spec
	p := pod{container: c(spec), root: t.TempDir()}
	p.moved = strings.NewReplacer(
		"/etc/zitadel-siem/", p.root+"/etc/zitadel-siem/", "/var/lib/zitadel-siem", p.root+"/var/lib/zitadel-siem",
		"/usr/lib/zitadel-siem", filepath.Dir(built(t, "in_zitadel.so")))
	secrets := cluster(t)
	get := func(kind, name, key string) string {
		text, ok := secrets[kind+" "+name][key]
		if m, is := all["ConfigMap/"+name].(*core.ConfigMap); is && kind == "configmap" {
			text, ok = p.moved.Replace(m.Data[key]), m.Data[key] != ""
		}
		if !ok {
			t.Errorf("%s %s has no key %s", kind, name, key)
		}
		return text
	}
	keys := func(kind, name string) (keys []core.KeyToPath) {
		for key := range secrets[kind+" "+name] {
			keys = append(keys, core.KeyToPath{Key: key, Path: key})
		}
		if m, ok := all["ConfigMap/"+name].(*core.ConfigMap); ok && kind == "configmap" {
			for key := range m.Data {
				keys = append(keys, core.KeyToPath{Key: key, Path: key})
			}
		}
		if keys == nil {
			t.Errorf("there is no %s %s", kind, name)
		}
		return keys
	}
	for _, mount := range p.container.VolumeMounts {
		dir := filepath.Join(p.root, mount.MountPath)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		put := func(kind, name string, items []core.KeyToPath) {
			if items == nil {
				items = keys(kind, name)
			}
			for _, item := range items {
				path := filepath.Join(dir, item.Path)
				if _, err := os.Stat(path); err == nil {
					t.Errorf("%s: two files have this path", item.Path)
				}
				if err := os.WriteFile(path, []byte(get(kind, name, item.Key)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		at := slices.IndexFunc(spec.Volumes, func(v core.Volume) bool { return v.Name == mount.Name })
		if at < 0 {
			if mount.Name != "state" {
				t.Errorf("there is no volume %s", mount.Name)
			}
			continue
		}
		switch v := spec.Volumes[at]; {
		case v.ConfigMap != nil:
			put("configmap", v.ConfigMap.Name, v.ConfigMap.Items)
		case v.Secret != nil:
			put("secret", v.Secret.SecretName, v.Secret.Items)
		case v.Projected != nil:
			for _, source := range v.Projected.Sources {
				if s := source.Secret; s != nil {
					put("secret", s.Name, s.Items)
				} else {
					put("configmap", source.ConfigMap.Name, source.ConfigMap.Items)
				}
			}
		}
	}
	return p
}

// command is what the container runs.
func (p pod) command(ctx context.Context, t *testing.T) *exec.Cmd {
	t.Helper()
	argv := slices.Concat(p.container.Command, p.container.Args)
	for i, arg := range argv {
		argv[i] = p.moved.Replace(arg)
	}
	if argv[0] == "/fluent-bit/bin/fluent-bit" {
		argv[0] = fluentBit(t)
	} else {
		argv = append([]string{built(t, "zitadel-siem")}, argv...) // the entry point of the image
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	for _, v := range p.container.Env {
		cmd.Env = append(cmd.Env, v.Name+"="+v.Value)
	}
	return cmd
}

// cluster are the secrets and ConfigMaps that the examples name.
func cluster(t *testing.T) map[string]map[string]string {
	t.Helper()
	certificate, key := certificate(t)
	signing := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef0123"))
	return map[string]map[string]string{
		"secret zitadel-siem-token":      {"token": "a-personal-access-token", "eu": "a-personal-access-token"},
		"secret zitadel-siem-key":        {"key.json": serviceUserKey(t)},
		"secret zitadel-siem-lab":        {"secret": "a-client-secret"},
		"secret zitadel-siem-targets":    {"zitadel-siem": signing},
		"secret zitadel-siem-scripts":    {"zitadel-siem": "a-secret-of-a-script"},
		"secret zitadel-siem-pseudonyms": {"key": signing},
		"secret siem-tls":                {"tls.crt": certificate, "tls.key": key},
		"secret fluent-client":           {"tls.crt": certificate, "tls.key": key},
		"secret fluent-shared-key":       {"shared-key": "a-shared-key"},
		"secret siem-store":              {"password": "a-password"},
		"secret siem-store-client":       {"tls.crt": certificate, "tls.key": key},
		"secret loki":                    {"token": "a-token"},
		"secret opensearch":              {"password": "a-password"},
		"configmap private-ca":           {"ca.crt": certificate},
		"configmap opensearch-ca":        {"ca.crt": certificate},
		"configmap zitadel-siem-more":    {"schema.yaml": "{}"},
	}
}

func first(spec core.PodSpec) core.Container { return spec.Containers[0] }

// TestPod_CheckFindsNothingWrong loads each configuration with the real program, with every
// file at the place where the pod has it.
func TestPod_CheckFindsNothingWrong(t *testing.T) {
	for _, name := range examples(t) {
		t.Run(name, func(t *testing.T) {
			p := run(t, render(t, example(t, name)), first)
			flag, file := "--config", "config.yaml"
			if strings.HasPrefix(name, "fluent-bit") {
				flag, file = "--fluent-bit", "fluent-bit.yaml"
			}
			checks(t, flag, filepath.Join(p.root, "etc/zitadel-siem/config", file))
		})
	}
}

// checks runs `zitadel-siem check` and expects that it finds nothing.
func checks(t *testing.T, flag, file string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), built(t, "zitadel-siem"), "check", flag, file, "--offline").CombinedOutput()
	if err != nil || !regexp.MustCompile(`(?m)^\d+ ok, 0 to look at, 0 failed$`).Match(out) {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestPod_TheCheckBeforeFluentBitStopsAWrongConfiguration runs the init container.
func TestPod_TheCheckBeforeFluentBitStopsAWrongConfiguration(t *testing.T) {
	initial := func(spec core.PodSpec) core.Container { return spec.InitContainers[0] }
	values := example(t, "fluent-bit-values.yaml")
	if out, err := run(t, render(t, values), initial).command(t.Context(), t).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for _, wrong := range []string{`{defaults: {pol_interval: 5s}}`, `{fluentBit: {outputs: [{name: stdout, match: other}]}}`} {
		out, err := run(t, render(t, with(t, values, wrong)), initial).command(t.Context(), t).CombinedOutput()
		if _, failed := errors.AsType[*exec.ExitError](err); !failed {
			t.Errorf("%s: %v\n%s", wrong, err, out)
		}
	}
}

// TestPod_LivesWhileZITADELAndTheReceiverAreAway runs what the container runs, and asks as the
// kubelet does. Then it ends it as the kubelet does. Nothing in the examples can be reached.
// (Fluent Bit's own --dry-run is of no use: 5.1.1 crashes with every Go input.)
func TestPod_LivesWhileZITADELAndTheReceiverAreAway(t *testing.T) {
	for _, name := range examples(t) {
		t.Run(name, func(t *testing.T) {
			away, port := free(t), free(t)
			values := with(t, example(t, name), fmt.Sprintf(`{metrics: {port: %d}}`, port))
			for i, source := range values["sources"].([]any) {
				source := source.(map[string]any)
				source["url"] = fmt.Sprintf("http://127.0.0.%d:%d", 1+i, away)
				if webhooks, ok := source["webhooks"].(map[string]any); ok {
					webhooks["port"] = free(t)
				}
			}
			if strings.HasPrefix(name, "fluent-bit") {
				for _, output := range values["fluentBit"].(map[string]any)["outputs"].([]any) {
					output.(map[string]any)["host"] = "127.0.0.1"
					output.(map[string]any)["port"] = away
				}
			} else if to := values["destination"].(map[string]any); to["forward"] != nil {
				to["forward"] = fmt.Sprintf("tls://127.0.0.1:%d", away)
			}
			live(t, render(t, values), port, values["state"] != nil)
		})
	}
}

// live starts the container, asks its probes, and ends it. A pod whose store is away since its
// start is alive, and never gets ready: a rollout must not go on with such pods.
func live(t *testing.T, all objects, port int, storeAway bool) {
	p := run(t, all, first)
	cmd := p.command(t.Context(), t)
	log, err := os.Create(filepath.Join(p.root, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	until := func(ok func() error) {
		t.Helper()
		for deadline := time.After(2 * time.Minute); ; {
			failed := ok()
			if failed == nil {
				return
			}
			select {
			case err := <-ended:
				text, _ := os.ReadFile(log.Name())
				t.Fatalf("it ended: %v\n%s", err, text)
			case <-deadline:
				t.Error(failed)
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	for _, probe := range []*core.Probe{p.container.StartupProbe, p.container.LivenessProbe, p.container.ReadinessProbe} {
		if probe.TCPSocket != nil { // of a port for webhooks, each of which is tried below
			continue
		}
		if probe.HTTPGet.Port.StrVal != p.container.Ports[0].Name || int(p.container.Ports[0].ContainerPort) != port {
			t.Fatalf("a probe asks port %v", probe.HTTPGet.Port)
		}
		url, want := fmt.Sprintf("http://127.0.0.1:%d%s", port, probe.HTTPGet.Path), http.StatusOK
		if storeAway && probe.HTTPGet.Path == "/health" {
			want = http.StatusServiceUnavailable
		}
		until(func() error {
			answer, err := http.Get(url)
			if err == nil {
				if answer.Body.Close(); answer.StatusCode != want {
					err = fmt.Errorf("%s: %s, want %d", url, answer.Status, want)
				}
			}
			return err
		})
	}
	for _, webhooks := range p.container.Ports[1:] { // they are taken while both are away
		until(func() error {
			connection, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", webhooks.ContainerPort))
			if err == nil {
				connection.Close()
			}
			return err
		})
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	grace := time.Duration(*podTemplate(t, all).Spec.TerminationGracePeriodSeconds) * time.Second
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("after SIGTERM: %v", err)
		}
	case <-time.After(grace):
		_ = cmd.Process.Kill()
		t.Errorf("it did not end within %s after SIGTERM", grace)
	}
	if text, _ := os.ReadFile(log.Name()); strings.Contains(string(text), "panic") || strings.Contains(string(text), "a-personal-access-token") {
		t.Errorf("%s", text)
	}
}

// free returns a port of this machine that nothing listens on.
func free(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
