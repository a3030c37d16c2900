package flbconf

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// named is another name for the file, for commands that write a copy.
func named(path, extension string) string {
	return strings.TrimSuffix(path, filepath.Ext(path)) + extension
}

// binary returns an error that says how to convert the file to text.
func binary(path string, data []byte) error {
	from, ext := config.ShellWord(path), filepath.Ext(path)
	switch {
	case bytes.HasPrefix(data, []byte{0x1f, 0x8b}):
		plain := strings.TrimSuffix(path, ".gz")
		if plain == path {
			plain = named(path, "-plain"+ext)
		}
		return fmt.Errorf("is compressed with gzip, which Fluent Bit does not read: gunzip -c < %s > %s", from, config.ShellWord(plain))
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}), bytes.HasPrefix(data, []byte{0xfe, 0xff}), utf16(data):
		return fmt.Errorf("is text in UTF-16, which Fluent Bit does not read: iconv -f UTF-16 -t UTF-8 %s > %s", from, config.ShellWord(named(path, "-utf8"+ext)))
	case bytes.IndexByte(data, 0) >= 0:
		return errors.New("is not a text file: it contains a NUL byte")
	}
	return nil
}

// utf16 detects UTF-16 without a byte order mark: every second byte is 0.
func utf16(data []byte) bool {
	const enough = 8
	if len(data) < enough {
		return false
	}
	even, odd := 0, 0
	for i, b := range data[:min(len(data), 64)&^1] {
		if b == 0 && i%2 == 0 {
			even++
		} else if b == 0 {
			odd++
		}
	}
	return even+odd >= min(len(data), 64)/2-2
}

// classicLine is how a configuration in the classic format begins.
var classicLine = regexp.MustCompile(`^(\[[A-Za-z_]+\]\s*$|@(?i:include|set) )`)

// foreign says what a file is that Fluent Bit does not read in the format that
// its name implies, and what to do; empty if it may be a configuration.
func foreign(path string, data []byte, f format) (what, fix string) {
	first := firstLine(data)
	classic := classicLine.MatchString(first)
	switch {
	case f == yamlFormat && classic:
		return "the classic format in a file whose name ends in " + filepath.Ext(path), "mv " + config.ShellWord(path) + " " + config.ShellWord(named(path, ".conf"))
	case strings.HasPrefix(first, "<"):
		return "a configuration of Fluentd (or XML), not of Fluent Bit", "use the file given to fluent-bit -c"
	case f == classicFormat && (classic || strings.HasPrefix(first, "[") || strings.HasPrefix(first, "@")):
		return "", ""
	}
	return foreignYAML(path, data, f)
}

// firstLine is the first one that is not a comment.
func firstLine(data []byte) string {
	for raw := range bytes.Lines(data) {
		line := strings.TrimSpace(string(raw))
		if line != "" && line[0] != '#' && !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "%YAML") {
			return line
		}
	}
	return ""
}

func foreignYAML(path string, data []byte, f format) (what, fix string) {
	docs := documents(data)
	if len(docs) == 0 {
		return "", "" // the reader of the format reports what is wrong
	}
	for _, keys := range docs {
		if what, fix := kubernetes(path, keys); what != "" && (strings.Contains(fix, "yq") || len(docs) == 1) {
			return what, fix
		}
	}
	keys := docs[0]
	if what, fix := kubernetes(path, keys); what != "" {
		return what, fix
	}
	ours := slices.ContainsFunc(topKeys, func(k string) bool { return keys[k] != nil })
	if !ours || keys["pipeline"] == nil && keys["includes"] == nil {
		for _, o := range others {
			if slices.ContainsFunc(o.keys, func(all string) bool { return hasAll(keys, all) }) {
				return o.what, strings.ReplaceAll(o.fix, "FILE", config.ShellWord(path))
			}
		}
	}
	switch {
	case ours && f == classicFormat:
		return "YAML in a file whose name does not end in .yaml or .yml", "mv " + config.ShellWord(path) + " " + config.ShellWord(named(path, ".yaml"))
	case f == yamlFormat && !ours && !hasAny(keys, "inputs", "filters", "outputs"):
		return "YAML without any section of Fluent Bit", "use the file given to fluent-bit -c; it has pipeline: with inputs: and outputs:"
	}
	return "", ""
}

// documents are the mappings of a YAML file; none where it cannot be read.
func documents(data []byte) (docs []map[string]*yaml.Node) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		if err := decode(dec, &doc); err != nil {
			return docs
		}
		if len(doc.Content) > 0 && doc.Content[0].Kind == yaml.MappingNode {
			docs = append(docs, keysOf(doc.Content[0]))
		}
	}
}

// other is a file that is not for Fluent Bit, known by keys at its top; the
// keys of a word are separated by "+", "a.b" is a key below a key.
type other struct {
	keys []string
	what string
	fix  string
}

const fromChart = "use the configuration that the chart renders: helm template my-release fluent/fluent-bit -f FILE --show-only templates/configmap.yaml > configmap.yaml, then check that file"

var others = []other{
	{[]string{"config.inputs", "config.outputs", "config.filters", "config.service", "config.customParsers"}, "values of a Helm chart, not a configuration of Fluent Bit", fromChart},
	{[]string{"fluent-bit.config", "fluentbit.config", "fluent-bit.enabled", "fluentBit.config", "image+daemonSetVolumes", "image+serviceAccount", "image+rbac", "image+tolerations"}, "values of a Helm chart, not a configuration of Fluent Bit", fromChart},
	{[]string{"services"}, "a file of Docker Compose", "use the file that the Fluent Bit service mounts"},
	{[]string{"receivers+exporters", "receivers+service"}, "a configuration of the OpenTelemetry Collector", "use the file given to fluent-bit -c"},
	{[]string{"sources+sinks"}, "a configuration of Vector", "use the file given to fluent-bit -c"},
	{[]string{"scrape_configs", "filebeat.inputs", "output.elasticsearch"}, "a configuration of another program", "use the file given to fluent-bit -c"},
	{[]string{"sources+state_path", "sources+forward"}, "a file for zitadel-siem pull --config", "zitadel-siem check --config FILE"},
}

func hasAny(keys map[string]*yaml.Node, names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return keys[n] != nil })
}

func hasAll(keys map[string]*yaml.Node, all string) bool {
	for name := range strings.SplitSeq(all, "+") {
		if keys[name] != nil {
			continue
		}
		outer, inner, ok := strings.Cut(name, ".")
		if !ok || keys[outer] == nil || keysOf(keys[outer])[inner] == nil {
			return false
		}
	}
	return true
}

// operator maps groups of resources to the operator that writes a configuration from them.
var operator = map[string]string{
	"fluentbit.fluent.io": "the Fluent Operator",
	"logging.banzaicloud": "the Logging operator",
	"logging.kubesphere":  "the Fluent Operator",
}

// kubernetes recognises objects of Kubernetes, and which of them contain a configuration.
func kubernetes(path string, keys map[string]*yaml.Node) (what, fix string) {
	if keys["apiVersion"] == nil || keys["kind"] == nil {
		return "", ""
	}
	kind := short(keys["kind"].Value)
	for group, by := range operator {
		if strings.HasPrefix(keys["apiVersion"].Value, group) {
			return "a resource of " + by + " (" + kind + "), not a configuration of Fluent Bit",
				"use the configuration that the operator writes: kubectl get secret -n NAMESPACE NAME -o json | jq -r '.data[\"fluent-bit.conf\"] // .data[\"fluent-bit.yaml\"]' | base64 -d > fluent-bit.conf"
		}
	}
	what = "an object of Kubernetes (" + kind + "), not a configuration of Fluent Bit"
	if kind != "ConfigMap" && kind != "Secret" {
		return what, "use the file given to fluent-bit -c in the container"
	}
	var names []string
	for key := range pairs(keys["data"]) {
		names = append(names, config.ShellWord(filepath.Base(key.Value)))
	}
	if len(names) == 0 {
		return what, "use the file given to fluent-bit -c"
	}
	decode := ""
	if kind == "Secret" {
		decode = " | base64 -d"
	}
	return what + "; it may contain one", fmt.Sprintf(`write each key to a file, then check the one given to fluent-bit -c: for k in %s; do yq -r "select(.kind == \"%s\").data[\"$k\"]" %s%s > "$k"; done`,
		strings.Join(names, " "), kind, config.ShellWord(path), decode)
}
