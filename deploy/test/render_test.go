package deploy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"
)

const chartDir = "../helm/zitadel-siem"

// strict decodes objects of Kubernetes and of prometheus-operator, and refuses a field
// that their types do not have.
var strict = func() runtime.Decoder {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{apps.AddToScheme, core.AddToScheme, networking.AddToScheme, policy.AddToScheme, rbac.AddToScheme, monitoring.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
}()

// objects are what a chart or a base consists of, by kind and name.
type objects map[string]runtime.Object

// decode decodes a stream of YAML documents.
func decode(text string) (objects, error) {
	found := objects{}
	documents := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for {
		document, err := documents.Read()
		if err == io.EOF {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(document)) == 0 {
			continue
		}
		object, kind, err := strict.Decode(document, nil, nil)
		if err != nil {
			return nil, fmt.Errorf("%w in\n%s", err, document)
		}
		named, ok := object.(interface{ GetName() string })
		if !ok || named.GetName() == "" {
			return nil, fmt.Errorf("an object %s without a name", kind)
		}
		key := kind.Kind + "/" + named.GetName()
		if _, twice := found[key]; twice {
			return nil, fmt.Errorf("%s is there twice", key)
		}
		found[key] = object
	}
}

// one returns the only object of its type.
func one[T runtime.Object](t *testing.T, all objects) T {
	t.Helper()
	var found []T
	for _, object := range all {
		if o, ok := object.(T); ok {
			found = append(found, o)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d objects of type %T, want 1; there are %v", len(found), *new(T), slices.Sorted(maps.Keys(all)))
	}
	return found[0]
}

// podTemplate is that of the StatefulSet or the Deployment.
func podTemplate(t *testing.T, all objects) core.PodTemplateSpec {
	t.Helper()
	var found []core.PodTemplateSpec
	for _, object := range all {
		switch o := object.(type) {
		case *apps.StatefulSet:
			found = append(found, o.Spec.Template)
		case *apps.Deployment:
			found = append(found, o.Spec.Template)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d kinds of pods, want 1; there are %v", len(found), slices.Sorted(maps.Keys(all)))
	}
	return found[0]
}

// template renders the chart as `helm template siem` does, with the release in the namespace audit.
func template(values map[string]any) (map[string]string, error) {
	return templateFor("v1.34.0", values)
}

// templateFor is template for a version of Kubernetes.
func templateFor(kubernetes string, values map[string]any) (map[string]string, error) {
	chart, err := loader.LoadDir(chartDir)
	if err != nil {
		return nil, err
	}
	caps := common.DefaultCapabilities.Copy()
	version, err := common.ParseKubeVersion(kubernetes)
	if err != nil {
		return nil, err
	}
	caps.KubeVersion = *version
	caps.APIVersions = append(caps.APIVersions, "monitoring.coreos.com/v1")
	release := common.ReleaseOptions{Name: "siem", Namespace: "audit", Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(chart, values, release, caps)
	if err != nil {
		return nil, err
	}
	return engine.Engine{}.Render(chart, all)
}

// render decodes what the chart makes of values.
func render(t *testing.T, values map[string]any) objects {
	t.Helper()
	all, err := try(values)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func try(values map[string]any) (objects, error) {
	files, err := template(values)
	if err != nil {
		return nil, err
	}
	return decodeFiles(files)
}

// decodeFiles decodes what a chart is rendered to.
func decodeFiles(files map[string]string) (objects, error) {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, ".yaml") {
			text.WriteString("\n---\n" + files[name])
		}
	}
	return decode(text.String())
}

// example reads a values file of the chart's folder ci.
func example(t *testing.T, name string) map[string]any {
	t.Helper()
	return readValues(t, filepath.Join(chartDir, "ci", name))
}

func readValues(t *testing.T, path string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{}
	if err := sigsyaml.UnmarshalStrict(data, &values); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return values
}

func examples(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(chartDir, "ci", "*-values.yaml"))
	if err != nil || len(paths) < 5 {
		t.Fatalf("%d examples of values, %v", len(paths), err)
	}
	names := make([]string, len(paths))
	for i, path := range paths {
		names[i] = filepath.Base(path)
	}
	return names
}
