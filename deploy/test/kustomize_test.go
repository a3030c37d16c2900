package deploy

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

const kustomizeDir = "../kustomize"

var update = flag.Bool("update", false, "write the Kustomize base from the chart")

// TestKustomize_TheBaseIsTheChart keeps them from drifting apart. With -update it writes
// the bases.
func TestKustomize_TheBaseIsTheChart(t *testing.T) {
	for dir, more := range map[string]string{
		"base":            `{}`,
		"base-with-store": `{replicas: 2, state: {url: "postgres://siem@db.example.com/siem", password: {existingSecret: siem-store}}}`,
	} {
		t.Run(dir, func(t *testing.T) {
			values := with(t, example(t, "sidecar-values.yaml"), more)
			isTheChart(t, filepath.Join(kustomizeDir, dir), with(t, values, `{fullnameOverride: zitadel-siem}`))
		})
	}
}

func isTheChart(t *testing.T, dir string, values map[string]any) {
	files, err := template(values)
	if err != nil {
		t.Fatal(err)
	}
	// Kustomize makes names unique by the content of a ConfigMap, and sets the namespace.
	unwanted := regexp.MustCompile(`(?m)^ *(namespace: audit|helm\.sh/chart: .*|app\.kubernetes\.io/managed-by: .*|app\.kubernetes\.io/version: .*|checksum/config: .*|# A changed configuration restarts.*)\n`)
	var base strings.Builder
	base.WriteString("# Made from the chart: go -C deploy/test test -run TheBaseIsTheChart -update\n")
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, "configmap.yaml") || !strings.HasSuffix(name, ".yaml") || strings.TrimSpace(files[name]) == "" {
			continue
		}
		text := unwanted.ReplaceAllString(files[name], "")
		text = strings.ReplaceAll(text, "app.kubernetes.io/instance: siem", "app.kubernetes.io/instance: zitadel-siem")
		text = regexp.MustCompile(`(?m)^ *annotations:\n( *spec:)`).ReplaceAllString(text, "$1")
		base.WriteString("---\n" + strings.Trim(text, "\n") + "\n")
	}
	config := strings.TrimSuffix(one[*core.ConfigMap](t, render(t, values)).Data["config.yaml"], "\n") + "\n"
	for file, want := range map[string]string{"zitadel-siem.yaml": base.String(), "config.yaml": config} {
		path := filepath.Join(dir, file)
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s is not what the chart makes, %v: go -C deploy/test test -run TheBaseIsTheChart -update", path, err)
		}
	}
}

func TestKustomize_Builds(t *testing.T) {
	for _, dir := range []string{"base", "base-with-store", "example"} {
		t.Run(dir, func(t *testing.T) {
			made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(kustomizeDir, dir))
			if err != nil {
				t.Fatal(err)
			}
			text, err := made.AsYaml()
			if err != nil {
				t.Fatal(err)
			}
			all, err := decode(string(text))
			if err != nil {
				t.Fatal(err)
			}
			config := one[*core.ConfigMap](t, all)
			if config.Name == "zitadel-siem" || podTemplate(t, all).Spec.Volumes[0].ConfigMap.Name != config.Name {
				t.Errorf("a changed configuration would not restart the pod: %s", config.Name)
			}
			if !strings.Contains(config.Data["config.yaml"], "sources:") {
				t.Errorf("config.yaml: %s", config.Data["config.yaml"])
			}
			p := run(t, all, first)
			checks(t, "--config", filepath.Join(p.root, "etc/zitadel-siem/config/config.yaml"))
			if dir != "example" {
				return
			}
			if set := one[*apps.StatefulSet](t, all); set.Namespace != "audit" || *set.Spec.VolumeClaimTemplates[0].Spec.StorageClassName != "fast" {
				t.Errorf("the patch had no effect: %+v", set.Spec.VolumeClaimTemplates)
			}
		})
	}
}
