package deploy

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	sigsyaml "sigs.k8s.io/yaml"
)

func TestChart_HelmLintFindsNothing(t *testing.T) {
	for _, name := range examples(t) {
		for _, m := range lint.RunAll(chartDir, example(t, name), "audit").Messages {
			if m.Severity > support.InfoSev {
				t.Errorf("%s: %v", name, m)
			}
		}
	}
}

func TestChart_EveryObjectIsOneThatKubernetesKnows(t *testing.T) {
	for _, name := range examples(t) {
		podTemplate(t, render(t, example(t, name)))
	}
}

// freeKeys are maps whose keys everybody may choose.
var freeKeys = []string{"labels", "annotations", "matchLabels", "data", "limits", "requests", "nodeSelector", "selector"}

// TestChart_AMisspeltFieldIsRefused misspells each field of each object once. It proves that
// [TestChart_EveryObjectIsOneThatKubernetesKnows] can fail.
func TestChart_AMisspeltFieldIsRefused(t *testing.T) {
	files := map[string]string{}
	for _, name := range []string{"sidecar-store-values.yaml", "sidecar-full-values.yaml"} {
		made, err := template(example(t, name))
		if err != nil {
			t.Fatal(err)
		}
		for path, text := range made {
			if strings.TrimSpace(text) != "" { // one has a Deployment, the other a StatefulSet
				files[path] = text
			}
		}
	}
	tried := 0
	for name, text := range files {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		for _, document := range regexp.MustCompile(`(?m)^---$`).Split(text, -1) {
			var object map[string]any
			if err := sigsyaml.Unmarshal([]byte(document), &object); err != nil {
				t.Fatal(err)
			}
			misspell(object, name, func(path string) {
				tried++
				changed, err := sigsyaml.Marshal(object)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := decode(string(changed)); err == nil {
					t.Errorf("%s was misspelt, and nobody noticed", path)
				}
			})
		}
	}
	if tried < 300 {
		t.Errorf("only %d fields were tried", tried)
	}
}

// misspell renames each key below node for the time of a call of try.
func misspell(node any, path string, try func(path string)) {
	switch node := node.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(node)) {
			value := node[key]
			at := path + "." + key
			delete(node, key)
			node[key+"x"] = value
			try(at)
			delete(node, key+"x")
			node[key] = value
			// The selector of a StatefulSet, a policy or a monitor has fields, that of a Service has not.
			_, fields := value.(map[string]any)
			if free := slices.Contains(freeKeys, key); !free || key == "selector" && fields && value.(map[string]any)["matchLabels"] != nil {
				misspell(value, at, try)
			}
		}
	case []any:
		for i, value := range node {
			misspell(value, fmt.Sprintf("%s[%d]", path, i), try)
		}
	}
}

func TestChart_ThePodIsConfined(t *testing.T) {
	for _, name := range examples(t) {
		t.Run(name, func(t *testing.T) {
			pod := podTemplate(t, render(t, example(t, name))).Spec
			if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
				t.Error("the token of the service account is mounted")
			}
			if c := pod.SecurityContext; !*c.RunAsNonRoot || *c.RunAsUser != 65532 || *c.FSGroup != 65532 || c.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
				t.Errorf("the pod's security context: %+v", c)
			}
			if pod.HostNetwork || pod.HostPID || pod.HostIPC {
				t.Error("the pod uses the host's namespaces")
			}
			for _, volume := range pod.Volumes {
				if s := volume.Secret; s != nil && *s.DefaultMode != 0o400 {
					t.Errorf("volume %s has the mode %o", volume.Name, *s.DefaultMode)
				}
				if p := volume.Projected; p != nil && *p.DefaultMode != 0o400 {
					t.Errorf("volume %s has the mode %o", volume.Name, *p.DefaultMode)
				}
				if volume.HostPath != nil || volume.EmptyDir != nil && volume.Name != "spool" {
					t.Errorf("volume %s is not one of the cluster's", volume.Name)
				}
				if e := volume.EmptyDir; e != nil && (e.Medium != core.StorageMediumDefault || e.SizeLimit == nil) {
					t.Errorf("volume %s is in memory or has no limit: %+v", volume.Name, e)
				}
			}
			for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
				if s := c.SecurityContext; *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || !slices.Equal(s.Capabilities.Drop, []core.Capability{"ALL"}) || s.Capabilities.Add != nil {
					t.Errorf("%s: security context %+v", c.Name, s)
				}
				for _, v := range c.Env {
					if v.ValueFrom != nil || v.Name != "HTTPS_PROXY" && v.Name != "NO_PROXY" {
						t.Errorf("%s: %s is in the environment, where secrets do not belong", c.Name, v.Name)
					}
				}
				if c.EnvFrom != nil {
					t.Errorf("%s: has an environment from elsewhere", c.Name)
				}
				if c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
					t.Errorf("%s: no bound of the memory", c.Name)
				}
				if strings.HasSuffix(c.Image, ":latest") || !strings.HasPrefix(c.Image, "ghcr.io/zitadel-siem/zitadel-siem") {
					t.Errorf("%s: image %s", c.Name, c.Image)
				}
				for _, m := range c.VolumeMounts {
					if m.ReadOnly == (m.Name == "state" || m.Name == "spool") {
						t.Errorf("%s: only the state and the spools may be written: %+v", c.Name, m)
					}
				}
			}
		})
	}
}

// TestChart_TheStateOutlivesThePod holds law 1 and 2 across pods: the state is in a store, or on
// a claim that nothing deletes.
func TestChart_TheStateOutlivesThePod(t *testing.T) {
	for _, name := range examples(t) {
		values := example(t, name)
		all := render(t, values)
		if values["state"] != nil {
			noState(t, name, all)
			continue
		}
		set := one[*apps.StatefulSet](t, all)
		if *set.Spec.Replicas != 1 {
			t.Errorf("%s: %d replicas have one state", name, *set.Spec.Replicas)
		}
		var claims []string
		for _, c := range set.Spec.VolumeClaimTemplates {
			claims = append(claims, c.Name)
			if r := set.Spec.PersistentVolumeClaimRetentionPolicy; r.WhenDeleted != apps.RetainPersistentVolumeClaimRetentionPolicyType || r.WhenScaled != r.WhenDeleted {
				t.Errorf("%s: the claim is deleted: %+v", name, r)
			}
		}
		for _, v := range set.Spec.Template.Spec.Volumes {
			if v.PersistentVolumeClaim != nil {
				claims = append(claims, v.Name)
			}
		}
		if !slices.Equal(claims, []string{"state"}) {
			t.Errorf("%s: claims %v", name, claims)
		}
	}
}

// noState expects pods that have nothing to lose but the spools of webhooks, as many as the values say,
// apart from each other.
func noState(t *testing.T, name string, all objects) {
	t.Helper()
	d := one[*apps.Deployment](t, all)
	if want := int32(example(t, name)["replicas"].(float64)); *d.Spec.Replicas != want {
		t.Errorf("%s: %d replicas, want %d", name, *d.Spec.Replicas, want)
	}
	config := one[*core.ConfigMap](t, all).Data["config.yaml"]
	spools := 0
	for _, v := range d.Spec.Template.Spec.Volumes {
		if v.EmptyDir != nil && v.Name == "spool" {
			spools++
		} else if v.ConfigMap == nil && v.Projected == nil && v.Secret == nil {
			t.Errorf("%s: the volume %s may have something to lose", name, v.Name)
		}
	}
	if want := min(1, strings.Count(config, "webhook_listen")); spools != want {
		t.Errorf("%s: %d volumes for spools, want %d", name, spools, want)
	}
	for _, c := range d.Spec.Template.Spec.TopologySpreadConstraints {
		if !includes(d.Spec.Template.Labels, c.LabelSelector.MatchLabels) {
			t.Errorf("%s: other pods are spread: %v", name, c.LabelSelector)
		}
	}
	if !strings.Contains(config, "\nstate: ") || strings.Contains(config, "state_path") {
		t.Errorf("%s: the configuration is for files\n%s", name, config)
	}
}

// TestChart_NothingButWhatIsNeededIsReachable reads the policy.
func TestChart_NothingButWhatIsNeededIsReachable(t *testing.T) {
	for name, want := range map[string]struct{ in, out []string }{
		"sidecar-values.yaml":         {[]string{"metrics"}, []string{"53", "53", "443", "24224"}},
		"sidecar-full-values.yaml":    {[]string{"metrics", "8443", "8444"}, []string{"53", "53", "443", "8443", "8080", "24224", "4317"}},
		"sidecar-store-values.yaml":   {[]string{"metrics", "8443", "8444"}, []string{"53", "53", "443", "24224", "5432", "5433"}},
		"sidecar-etcd-values.yaml":    {[]string{"metrics"}, []string{"53", "53", "443", "24224", "2379"}},
		"fluent-bit-values.yaml":      {[]string{"metrics"}, []string{"53", "53", "443", "3100"}},
		"fluent-bit-full-values.yaml": {[]string{"metrics", "8443"}, []string{"53", "53", "443", "3128", "443", "9200"}},
	} {
		rules := one[*networking.NetworkPolicy](t, render(t, example(t, name))).Spec
		var in, out []string
		for _, rule := range rules.Ingress {
			for _, p := range rule.Ports {
				in = append(in, p.Port.String())
			}
		}
		for _, rule := range rules.Egress {
			if len(rule.Ports) == 0 {
				t.Errorf("%s: a rule opens every port", name)
			}
			for _, p := range rule.Ports {
				out = append(out, p.Port.String())
			}
		}
		if !slices.Equal(in, want.in) || !slices.Equal(out, want.out) {
			t.Errorf("%s: in %v, out %v; want %v, %v", name, in, out, want.in, want.out)
		}
	}
}

// TestChart_ServicesLeadToThePod follows each name and port to the container.
func TestChart_ServicesLeadToThePod(t *testing.T) {
	for _, name := range examples(t) {
		t.Run(name, func(t *testing.T) {
			all := render(t, example(t, name))
			template := podTemplate(t, all)
			ports := map[string]bool{}
			for _, p := range template.Spec.Containers[0].Ports {
				ports[p.Name], ports[fmt.Sprint(p.ContainerPort)] = true, true
			}
			matches := func(selector map[string]string) bool {
				return selector != nil && includes(template.Labels, selector)
			}
			for _, object := range all {
				switch o := object.(type) {
				case *core.Service:
					onlyReady := all["Deployment/siem-zitadel-siem"] != nil && o.Name == "siem-zitadel-siem-webhooks"
					if !matches(o.Spec.Selector) || o.Spec.PublishNotReadyAddresses == onlyReady {
						t.Errorf("Service %s: %+v", o.Name, o.Spec)
					}
					for _, p := range o.Spec.Ports {
						if !ports[p.TargetPort.String()] {
							t.Errorf("Service %s leads to port %s, which no container has", o.Name, p.TargetPort.String())
						}
					}
				case *policy.PodDisruptionBudget:
					if !matches(o.Spec.Selector.MatchLabels) {
						t.Errorf("the budget is for other pods")
					}
				case *networking.Ingress:
					for _, rule := range o.Spec.Rules {
						to := rule.HTTP.Paths[0].Backend.Service
						service, ok := all["Service/"+to.Name].(*core.Service)
						if !ok || !slices.ContainsFunc(service.Spec.Ports, func(p core.ServicePort) bool { return p.Port == to.Port.Number }) {
							t.Errorf("Ingress: %s leads nowhere: %+v", rule.Host, to)
						}
					}
				case *monitoring.ServiceMonitor:
					var selected []string
					for _, object := range all {
						if s, ok := object.(*core.Service); ok && includes(s.Labels, o.Spec.Selector.MatchLabels) {
							selected = append(selected, s.Name)
							if s.Spec.Ports[0].Name != o.Spec.Endpoints[0].Port {
								t.Errorf("the monitor asks port %s", o.Spec.Endpoints[0].Port)
							}
						}
					}
					if !slices.Equal(selected, []string{"siem-zitadel-siem"}) {
						t.Errorf("the monitor selects %v", selected)
					}
				}
			}
			if set, ok := all["StatefulSet/siem-zitadel-siem"].(*apps.StatefulSet); ok && all["Service/"+set.Spec.ServiceName] == nil {
				t.Errorf("the StatefulSet names the Service %q, which is not there", set.Spec.ServiceName)
			}
		})
	}
}

func includes(all, some map[string]string) bool {
	for key, value := range some {
		if all[key] != value {
			return false
		}
	}
	return true
}

func TestChart_AChangedConfigurationRestartsThePod(t *testing.T) {
	sum := func(more string) string {
		return podTemplate(t, render(t, with(t, example(t, "sidecar-values.yaml"), more))).Annotations["checksum/config"]
	}
	if sum(`{}`) == sum(`{defaults: {tier: core}}`) {
		t.Error("the annotation does not depend on the configuration")
	}
	if sum(`{}`) != sum(`{podLabels: {a: b}}`) {
		t.Error("the annotation depends on what is no configuration")
	}
}

// TestChart_TheReadmeNamesEveryValue compares the table with values.yaml.
func TestChart_TheReadmeNamesEveryValue(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(chartDir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(chartDir, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := sigsyaml.UnmarshalStrict(data, &values); err != nil {
		t.Fatal(err)
	}
	for key := range values {
		if !strings.Contains(string(readme), "`"+key) {
			t.Errorf("README.md does not name the value %s", key)
		}
	}
}
