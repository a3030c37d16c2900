package flbconf

import (
	"bytes"
	"compress/gzip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	classicText = "[INPUT]\n    Name dummy\n    Tag t\n[OUTPUT]\n    Name stdout\n    Match *\n"
	yamlText    = "pipeline:\n  inputs:\n    - {name: dummy, tag: t}\n  outputs:\n    - {name: stdout, match: '*'}\n"
)

// A file that is no configuration is named, with the way out. Its path has all that
// a shell takes apart.
func TestFilesThatAreNoConfigurationAreNamed(t *testing.T) {
	const helm = "values of a Helm chart"
	for _, c := range []struct{ name, text, what, fix string }{
		{"yaml.conf", yamlText, "YAML in a file whose name", "mv 'DIR/yaml.conf' 'DIR/yaml.yaml'"},
		{"comment.conf", "# comment\n---\n" + yamlText, "YAML in a file whose name", "'DIR/comment.yaml'"},
		{"classic.yaml", classicText, "the classic format in a file whose name ends in .yaml", "mv 'DIR/classic.yaml' 'DIR/classic.conf'"},
		{"include.yml", "# x\n@INCLUDE a.conf\n" + classicText, "the classic format in a file whose name ends in .yml", "mv "},
		{"configmap.yaml", "apiVersion: v1\nkind: ConfigMap\ndata:\n  fluent-bit.conf: |\n    [INPUT]\n", "an object of Kubernetes (ConfigMap)", `for k in fluent-bit.conf; do yq -r "select(.kind == \"ConfigMap\").data[\"$k\"]" 'DIR/configmap.yaml' > "$k"; done`},
		{"configmap.conf", "apiVersion: v1\nkind: ConfigMap\ndata:\n  a b.conf: x\n", "an object of Kubernetes (ConfigMap)", "for k in 'a b.conf'; do"},
		{"secret.yaml", "apiVersion: v1\nkind: Secret\ndata:\n  fluent-bit.yaml: eA==\n", "an object of Kubernetes (Secret)", "| base64 -d > "},
		{"rendered.yaml", "apiVersion: v1\nkind: ServiceAccount\n---\napiVersion: v1\nkind: ConfigMap\ndata: {fluent-bit.yaml: x}\n", "an object of Kubernetes (ConfigMap)", "for k in fluent-bit.yaml"},
		{"no data.yaml", "apiVersion: v1\nkind: ConfigMap\nbinaryData: {x: eA==}\n", "an object of Kubernetes (ConfigMap)", "fluent-bit -c"},
		{"daemonset.yaml", "apiVersion: apps/v1\nkind: DaemonSet\nspec: {}\n", "an object of Kubernetes (DaemonSet)", "fluent-bit -c"},
		{"input.yaml", "apiVersion: fluentbit.fluent.io/v1alpha2\nkind: ClusterInput\nspec: {}\n", "a resource of the Fluent Operator (ClusterInput)", "kubectl get secret"},
		{"config.yaml", "apiVersion: fluentbit.fluent.io/v1alpha2\nkind: ClusterFluentBitConfig\nspec: {}\n", "a resource of the Fluent Operator (ClusterFluentBitConfig)", "kubectl get secret"},
		{"logging.yaml", "apiVersion: logging.banzaicloud.io/v1beta1\nkind: FluentbitAgent\nspec: {}\n", "a resource of the Logging operator", "kubectl get secret"},
		{"values.yaml", "kind: DaemonSet\nimage: {repository: x}\nconfig:\n  service: |\n    [SERVICE]\n  inputs: |\n    [INPUT]\n", helm, "helm template my-release fluent/fluent-bit -f 'DIR/values.yaml'"},
		{"short.yaml", "config:\n  outputs: |\n    [OUTPUT]\n", helm, "helm template"},
		{"umbrella.yaml", "fluent-bit:\n  enabled: true\n  config:\n    inputs: x\n", helm, "helm template"},
		{"compose.yaml", "services:\n  fluent-bit:\n    image: fluent/fluent-bit\n", "a file of Docker Compose", "mounts"},
		{"otel.yaml", "receivers: {otlp: {}}\nexporters: {debug: {}}\nservice: {pipelines: {}}\n", "a configuration of the OpenTelemetry Collector", "fluent-bit -c"},
		{"vector.yaml", "sources: {a: {type: file}}\nsinks: {b: {type: console}}\n", "a configuration of Vector", "fluent-bit -c"},
		{"fluentd.conf", "<source>\n  @type tail\n</source>\n", "a configuration of Fluentd", "fluent-bit -c"},
		{"nothing.yaml", "foo: {a: b}\n", "YAML without any section of Fluent Bit", "pipeline:"},
		{"flat.yaml", "inputs:\n  - name: dummy\n", "inputs: Fluent Bit does not start", "below pipeline:"},
		{"list.yaml", "- name: dummy\n", "no input named zitadel", ""},
		{"plugins.conf", "[PLUGINS]\n    Path ./in_zitadel.so\n", "a file of plugins", "plugins_file"},
		{"parsers.conf", "[PARSER]\n    Name x\n    Format json\n", "[PARSER]", "parsers_file"},
		{"bom.conf", "\xef\xbb\xbf" + classicText, "a byte order mark", `sed -i '1s/^\xEF\xBB\xBF//' 'DIR/bom.conf'`},
		{"dollar.conf", "[SERVICE]\n    Flush 1\n$INCLUDE x.conf\n", "$INCLUDE", "@INCLUDE x.conf"},
		{"empty.conf", "\n# only a comment\n", "the file is empty", "fluent-bit -c"},
		{"empty.yaml", "", "the file is empty", "fluent-bit -c"},
	} {
		dir := filepath.Join(t.TempDir(), "it's a dir")
		path := filepath.Join(dir, c.name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		report, err := Check(path, options())
		if err != nil || len(report.Findings) == 0 {
			t.Errorf("%s: %v %+v", c.name, err, report)
			continue
		}
		f := report.Findings[0]
		fix := strings.ReplaceAll(c.fix, "DIR", strings.ReplaceAll(dir, "'", `'\''`))
		if _, said, _ := strings.Cut(f.String(), string(f.Severity)+": "); !strings.HasPrefix(said, c.what) || !strings.Contains(f.Fix, fix) {
			t.Errorf("%s: %s\nwant %s; %s", c.name, f, c.what, fix)
		}
		if strings.Contains(report.Summary, "no setting") {
			t.Errorf("%s: %s", c.name, report.Summary)
		}
	}
}

// The commands do what they say.
func TestCommandsOfAdviceRunInAShell(t *testing.T) {
	dir := filepath.Join(t.TempDir(), `it's "a" $dir`)
	path := filepath.Join(dir, "x.conf")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"\xef\xbb\xbf" + classicText, yamlText} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		report, err := Check(path, options())
		if err != nil || len(report.Findings) == 0 {
			t.Fatal(err, report)
		}
		if out, err := exec.Command("sh", "-c", report.Findings[0].Fix).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", report.Findings[0].Fix, err, out)
		}
	}
	got, err := os.ReadFile(filepath.Join(dir, "x.yaml"))
	if err != nil || string(got) != yamlText {
		t.Error(err, string(got))
	}
}

func TestFilesThatAreNoTextAreNamed(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte(classicText))
	_ = z.Close()
	wide := func(first, second string) string {
		var b strings.Builder
		for _, r := range classicText {
			b.WriteString(strings.NewReplacer("x", string(r)).Replace(first + second))
		}
		return b.String()
	}
	for _, c := range []struct{ name, text, want string }{
		{"x.conf.gz", packed.String(), "compressed with gzip, which Fluent Bit does not read: gunzip -c < "},
		{"little.conf", "\xff\xfe" + wide("x", "\x00"), "UTF-16, which Fluent Bit does not read: iconv -f UTF-16 -t UTF-8 "},
		{"big.conf", "\xfe\xff" + wide("\x00", "x"), "UTF-16"},
		{"unmarked.conf", wide("x", "\x00"), "UTF-16"},
		{"program", "\x7fELF\x00\x01\x02", "not a text file"},
	} {
		path := filepath.Join(t.TempDir(), c.name)
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Check(path, options()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "fluent-bit.conf"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Check(dir, options()); err == nil || !strings.Contains(err.Error(), "is a directory: use the file in it that is given to fluent-bit -c, perhaps "+dir+"/fluent-bit.conf") {
		t.Error(err)
	}
}

func FuzzForeign(f *testing.F) {
	fuzzSeeds(f, "good.yaml", "good.conf", "cases/kubernetes-configmap.yaml", "cases/yaml-in-conf.conf", "cases/bom.conf")
	f.Add([]byte("apiVersion: *a\nkind: ConfigMap\ndata: [x]\n"))
	f.Add([]byte("services: *a\nfluent-bit: x\n"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_ = binary("x", data)
		for _, as := range []format{classicFormat, yamlFormat} {
			foreign("x", data, as)
		}
	})
}
