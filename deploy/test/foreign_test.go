package deploy

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	sigsyaml "sigs.k8s.io/yaml"
)

const officialDir = "../fluent-bit-chart"

// official reads values for the chart fluent/fluent-bit, and completes logs-values.yaml as
// its head says.
func official(t *testing.T, name string) map[string]any {
	t.Helper()
	values := readValues(t, filepath.Join(officialDir, name))
	if name == "logs-values.yaml" {
		conf, err := os.ReadFile("../../conf/kubernetes.yaml")
		if err != nil {
			t.Fatal(err)
		}
		values["config"] = map[string]any{"extraFiles": map[string]any{"fluent-bit.yaml": strings.NewReplacer("./build/", "/usr/lib/zitadel-siem/",
			"service:\n", "service:\n  http_server: on\n  http_listen: 0.0.0.0\n  http_port: 2020\n  health_check: on\n").Replace(string(conf))}}
	}
	return values
}

var officialValues = []string{"events-values.yaml", "logs-values.yaml"}

// TestOfficialChart_EveryValueExists compares with a list of the chart's values, which knows
// no deeper fields; those that Kubernetes defines are decoded strictly.
func TestOfficialChart_EveryValueExists(t *testing.T) {
	text, err := os.ReadFile("testdata/fluent-bit-chart-0.58.1.txt")
	if err != nil {
		t.Fatal(err)
	}
	known := strings.Split(string(text), "\n")
	free := []string{"extraFiles"}
	for _, name := range officialValues {
		values := official(t, name)
		for key, value := range values {
			if !slices.Contains(known, key) {
				t.Errorf("%s: the chart has no value %s", name, key)
			}
			into := map[string]any{
				"extraVolumes": new([]core.Volume), "extraVolumeMounts": new([]core.VolumeMount), "podSecurityContext": new(core.PodSecurityContext),
				"securityContext": new(core.SecurityContext), "resources": new(core.ResourceRequirements), "updateStrategy": new(apps.DeploymentStrategy),
			}[key]
			if into == nil {
				fields, _ := value.(map[string]any)
				for field := range fields {
					if !slices.Contains(known, key+"."+field) && !slices.Contains(free, field) {
						t.Errorf("%s: the chart has no value %s.%s", name, key, field)
					}
				}
				continue
			}
			again, err := sigsyaml.Marshal(value)
			if err == nil {
				err = sigsyaml.UnmarshalStrict(again, into)
			}
			if err != nil {
				t.Errorf("%s: %s: %v", name, key, err)
			}
		}
	}
}

// TestOfficialChart_RendersAPodThatReads runs with FLUENT_BIT_CHART, the directory of the chart.
func TestOfficialChart_RendersAPodThatReads(t *testing.T) {
	dir := os.Getenv("FLUENT_BIT_CHART")
	if dir == "" {
		t.Skip("FLUENT_BIT_CHART is not set: the values were NOT given to the official chart")
	}
	chart, err := loader.LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range officialValues {
		all, err := util.ToRenderValues(chart, official(t, name), common.ReleaseOptions{Name: "zitadel", Namespace: "audit"}, common.DefaultCapabilities)
		if err != nil {
			t.Fatal(err)
		}
		files, err := engine.Engine{}.Render(chart, all)
		if err != nil {
			t.Fatal(err)
		}
		found, err := decodeFiles(files)
		if err != nil {
			t.Fatal(err)
		}
		var pod core.PodSpec
		if name == "events-values.yaml" {
			d := one[*apps.Deployment](t, found)
			if pod = d.Spec.Template.Spec; *d.Spec.Replicas != 1 || d.Spec.Strategy.Type != apps.RecreateDeploymentStrategyType {
				t.Errorf("%s: %d replicas, %s", name, *d.Spec.Replicas, d.Spec.Strategy.Type)
			}
		} else {
			pod = one[*apps.DaemonSet](t, found).Spec.Template.Spec
		}
		c := pod.Containers[0]
		if c.Image != "ghcr.io/zitadel-siem/zitadel-siem-fluent-bit:v0.1.0" || !slices.Contains(c.Args, "--config=/fluent-bit/etc/conf/fluent-bit.yaml") {
			t.Errorf("%s: %s %v", name, c.Image, c.Args)
		}
		if config := one[*core.ConfigMap](t, found).Data["fluent-bit.yaml"]; !strings.Contains(config, "/usr/lib/zitadel-siem/") {
			t.Errorf("%s: the configuration is %q", name, config)
		}
		for _, v := range pod.Volumes {
			if !slices.ContainsFunc(c.VolumeMounts, func(m core.VolumeMount) bool { return m.Name == v.Name }) {
				t.Errorf("%s: volume %s is not mounted", name, v.Name)
			}
		}
	}
}

// TestOfficialChart_TheConfigurationLosesNothing gives it to `check`, and that of the events
// to the real Fluent Bit.
func TestOfficialChart_TheConfigurationLosesNothing(t *testing.T) {
	for _, name := range officialValues {
		t.Run(name, func(t *testing.T) {
			config := official(t, name)["config"].(map[string]any)["extraFiles"].(map[string]any)["fluent-bit.yaml"].(string)
			file := here(t, config)
			checks(t, "--fluent-bit", file)
			if name == "events-values.yaml" {
				reads(t, file)
			}
		})
	}
}

// here writes a configuration with paths of this machine, and the token that it names.
func here(t *testing.T, config string) string {
	t.Helper()
	root := t.TempDir()
	token := filepath.Join(root, "token")
	if err := os.WriteFile(token, []byte("a-token"), 0o600); err != nil {
		t.Fatal(err)
	}
	config = strings.NewReplacer(
		"/etc/zitadel-siem/token/token", token, "/fluent-bit/secrets/zitadel-siem-token/token", token,
		"/var/lib/zitadel-siem", root, "/var/lib/fluent-bit", root, "/buffers", root,
		"/usr/lib/zitadel-siem", filepath.Dir(built(t, "in_zitadel.so")), "0.0.0.0", "127.0.0.1", "2020", fmt.Sprint(free(t)),
		"https://zitadel.example.com", fmt.Sprintf("http://127.0.0.1:%d", free(t)),
	).Replace(config)
	file := filepath.Join(root, "fluent-bit.yaml")
	if !strings.Contains(config, "pipeline:") {
		file = filepath.Join(root, "fluent-bit.conf")
	}
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// The fields of fluent-operator's objects that the example uses, as its types of version 3
// (fluentbit.fluent.io/v1alpha2) have them. Its module is not on the proxy.
type (
	resource struct {
		meta.TypeMeta   `json:",inline"`
		meta.ObjectMeta `json:"metadata"`
	}
	collector struct {
		resource
		Spec struct {
			Image                 string                      `json:"image"`
			Args                  []string                    `json:"args"`
			FluentBitConfigName   string                      `json:"fluentBitConfigName"`
			Replicas              int32                       `json:"replicas"`
			Secrets               []string                    `json:"secrets"`
			Volumes               []core.Volume               `json:"volumes"`
			VolumesMounts         []core.VolumeMount          `json:"volumesMounts"`
			BufferPath            string                      `json:"bufferPath"`
			PersistentVolumeClaim core.PersistentVolumeClaim  `json:"pvc"`
			Resources             core.ResourceRequirements   `json:"resources"`
			SecurityContext       *core.PodSecurityContext    `json:"securityContext"`
			Tolerations           []core.Toleration           `json:"tolerations"`
			ImagePullSecrets      []core.LocalObjectReference `json:"imagePullSecrets"`
		} `json:"spec"`
	}
	fluentBitConfig struct {
		resource
		Spec struct {
			Namespace string `json:"namespace"`
			Service   struct {
				FlushSeconds float64 `json:"flushSeconds"`
				GraceSeconds int64   `json:"graceSeconds"`
				LogLevel     string  `json:"logLevel"`
				HTTPServer   bool    `json:"httpServer"`
				HTTPListen   string  `json:"httpListen"`
				HTTPPort     int32   `json:"httpPort"`
				HealthCheck  bool    `json:"healthCheck"`
				SchedulerCap int32   `json:"schedulerCap"`
				Storage      struct {
					Path string `json:"path"`
					Sync string `json:"sync"`
				} `json:"storage"`
			} `json:"service"`
			InputSelector  meta.LabelSelector `json:"inputSelector"`
			FilterSelector meta.LabelSelector `json:"filterSelector"`
			OutputSelector meta.LabelSelector `json:"outputSelector"`
		} `json:"spec"`
	}
	clusterInput struct {
		resource
		Spec struct {
			CustomPlugin struct {
				Config string `json:"config"`
			} `json:"customPlugin"`
		} `json:"spec"`
	}
	clusterOutput struct {
		resource
		Spec struct {
			Match      string `json:"match"`
			RetryLimit string `json:"retry_limit"`
			Loki       struct {
				Host       string   `json:"host"`
				Port       int32    `json:"port"`
				Labels     []string `json:"labels"`
				LineFormat string   `json:"lineFormat"`
			} `json:"loki"`
		} `json:"spec"`
	}
)

// operatorDocuments are the objects of the example.
func operatorDocuments(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../fluent-operator/zitadel-siem.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(text), "\n---\n")
}

// TestOperator_TheObjectsMakeAConfigurationThatReads decodes them strictly, writes the
// configuration that the operator makes of them, and starts the real Fluent Bit with it.
func TestOperator_TheObjectsMakeAConfigurationThatReads(t *testing.T) {
	var pod collector
	var config fluentBitConfig
	var input clusterInput
	var output clusterOutput
	documents := operatorDocuments(t)
	for i, into := range []any{&pod, &config, &input, &output} {
		if err := sigsyaml.UnmarshalStrict([]byte(documents[i]), into); err != nil {
			t.Fatal(err)
		}
	}
	if pod.Spec.FluentBitConfigName != config.Name || pod.Namespace != config.Spec.Namespace || pod.Spec.Replicas != 1 {
		t.Errorf("the collector uses the configuration %s of %s", pod.Spec.FluentBitConfigName, pod.Namespace)
	}
	for _, s := range []struct {
		selector meta.LabelSelector
		labels   map[string]string
	}{{config.Spec.InputSelector, input.Labels}, {config.Spec.OutputSelector, output.Labels}, {config.Spec.FilterSelector, input.Labels}} {
		if len(s.selector.MatchLabels) == 0 || !includes(s.labels, s.selector.MatchLabels) {
			t.Errorf("a selector %v for %v: objects of others would be taken, or none", s.selector, s.labels)
		}
	}
	for _, path := range []string{pod.Spec.BufferPath, "/fluent-bit/secrets/" + pod.Spec.Secrets[0]} {
		if !strings.Contains(input.Spec.CustomPlugin.Config, path) {
			t.Errorf("the input does not use %s", path)
		}
	}
	if !strings.HasPrefix(config.Spec.Service.Storage.Path, pod.Spec.BufferPath+"/") || !slices.Equal(pod.Spec.Args, []string{"-e", pod.Spec.VolumesMounts[0].MountPath + "/in_zitadel.so"}) {
		t.Errorf("storage in %s, arguments %v", config.Spec.Service.Storage.Path, pod.Spec.Args)
	}
	s, o := config.Spec.Service, output.Spec
	made := fmt.Sprintf("[SERVICE]\n    flush %g\n    grace %d\n    log_level %s\n    http_server %t\n    http_listen %s\n    http_port %d\n    health_check %t\n    scheduler.cap %d\n    storage.path %s\n    storage.sync %s\n",
		s.FlushSeconds, s.GraceSeconds, s.LogLevel, s.HTTPServer, s.HTTPListen, s.HTTPPort, s.HealthCheck, s.SchedulerCap, s.Storage.Path, s.Storage.Sync) +
		"[INPUT]\n    " + strings.ReplaceAll(strings.TrimSpace(input.Spec.CustomPlugin.Config), "\n", "\n    ") + "\n" +
		fmt.Sprintf("[OUTPUT]\n    Name loki\n    Match %s\n    retry_limit %s\n    host %s\n    port %d\n    labels %s\n    line_format %s\n",
			o.Match, o.RetryLimit, o.Loki.Host, o.Loki.Port, strings.Join(o.Loki.Labels, ","), o.Loki.LineFormat)
	file := here(t, made)
	checks(t, "--fluent-bit", file)
	reads(t, file, "-e", built(t, "in_zitadel.so"))
}
