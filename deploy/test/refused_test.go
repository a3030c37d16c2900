package deploy

import (
	"maps"
	"os"
	"regexp"
	"strings"
	"testing"

	sigsyaml "sigs.k8s.io/yaml"
)

// with returns values with more of them, given as YAML.
func with(t *testing.T, values map[string]any, more string) map[string]any {
	t.Helper()
	var over map[string]any
	if err := sigsyaml.Unmarshal([]byte(more), &over); err != nil {
		t.Fatal(err)
	}
	return merge(values, over)
}

func merge(into, over map[string]any) map[string]any {
	out := maps.Clone(into)
	for key, value := range over {
		below, ok := value.(map[string]any)
		if was, is := out[key].(map[string]any); ok && is {
			value = merge(was, below)
		}
		out[key] = value
	}
	return out
}

func TestChart_WhatCannotWorkIsRefusedWithTheFix(t *testing.T) {
	const source = "name: prod, url: 'https://zitadel.example.com', auth: {existingSecret: t}"
	sidecar, fluentBit := example(t, "sidecar-values.yaml"), example(t, "fluent-bit-values.yaml")
	for _, test := range []struct {
		name   string
		values map[string]any
		more   string
		says   []string
	}{
		{"nothing is set", nil, ``, []string{"sources: is empty", "sources[0].url=", "kubectl create secret", "IAM_OWNER_VIEWER"}},
		{"no destination", sidecar, `{destination: {forward: ""}}`, []string{"destination.forward: is empty", "mode=fluentBit"}},
		{"two destinations", sidecar, `{destination: {stdout: true}}`, []string{"contradict"}},
		{"two replicas", sidecar, `{replicas: 2}`, []string{"replicas: must be 1", "one state file", "state.url"}},
		{"two replicas of Fluent Bit", fluentBit, `{replicas: 2}`, []string{"replicas: must be 1"}},
		{"a store for Fluent Bit", fluentBit, `{state: {url: "etcd://e:2379"}}`, []string{"state.url", "mode sidecar"}},
		{"a password of the store", sidecar, `{state: {url: "postgres://siem:secret@db/siem"}}`, []string{"state.url", "state.password.existingSecret"}},
		{"a password of the store behind a question mark", sidecar, `{state: {url: "postgres://siem@db/siem?password=secret"}}`, []string{"state.url", "state.password.existingSecret"}},
		{"a store that is unknown", sidecar, `{state: {url: "redis://db"}}`, []string{"url"}},
		{"secrets of no store", sidecar, `{state: {lease: 30s}}`, []string{"state.url"}},
		{"a claim beside a store", sidecar, `{state: {url: "etcd://e:2379"}, persistence: {existingClaim: c}}`, []string{"persistence.existingClaim", "docs/kubernetes.md"}},
		{"no replica", sidecar, `{replicas: 0}`, []string{"replicas: must be 1"}},
		{"a token in the values", sidecar, `{sources: [{` + source + `, options: {token: secret}}]}`, []string{"sources[0].options.token", "ConfigMap is no place"}},
		{"a shared key in the values", sidecar, `{defaults: {shared_key: secret}}`, []string{"defaults.shared_key", "ConfigMap is no place"}},
		{"the chart's own option", sidecar, `{defaults: {state_path: /tmp/x}}`, []string{"defaults.state_path"}},
		{"one name twice", sidecar, `{sources: [{` + source + `}, {` + source + `}]}`, []string{"sources[1].name", "two sources"}},
		{"one port twice", sidecar, `{sources: [{` + source + `, webhooks: {port: 9464, keysSecret: k}}]}`, []string{"sources[0].webhooks.port: 9464", "metrics.port"}},
		{"webhooks without keys", sidecar, `{sources: [{` + source + `, webhooks: {port: 8443}}]}`, []string{"keysSecret"}},
		{"an ingress without host", sidecar, `{ingress: {enabled: true}, sources: [{` + source + `, webhooks: {port: 8443, keysSecret: k}}]}`, []string{"sources[0].webhooks.host"}},
		{"an ingress to nothing", sidecar, `{ingress: {enabled: true}}`, []string{"ingress.enabled", "no source has webhooks"}},
		{"webhooks without keys in Fluent Bit's mode", fluentBit, `{sources: [{` + source + `, webhooks: {port: 8443}}]}`, []string{"keysSecret"}},
		{"a password of the proxy", sidecar, `{proxy: {https: "http://user:password@proxy:3128"}}`, []string{"proxy"}},
		{"a client without id", sidecar, `{sources: [{name: prod, url: 'https://z.example.com', auth: {existingSecret: t, type: clientSecret}}]}`, []string{"sources[0].auth.clientId"}},
		{"no secret", sidecar, `{sources: [{name: prod, url: 'https://z.example.com'}]}`, []string{"auth"}},
		{"an id as a number", sidecar, `{defaults: {aggregate_ids: 279316246871736323}}`, []string{"aggregate_ids"}},
		{"a URL with a path", sidecar, `{sources: [{name: prod, url: 'https://z.example.com/ui', auth: {existingSecret: t}}]}`, []string{"url"}},
		{"a misspelt value", sidecar, `{destinations: {}}`, []string{"destinations"}},
		{"outputs in the sidecar", sidecar, `{fluentBit: {outputs: [{name: stdout}]}}`, []string{"mode: fluentBit"}},
		{"no outputs", fluentBit, `{fluentBit: {outputs: []}}`, []string{"fluentBit.outputs: is empty"}},
		{"a limit of retries", fluentBit, `{fluentBit: {outputs: [{name: http, port: 80, retry_limit: 5}]}}`, []string{"outputs[0].retry_limit", "drop"}},
		{"a limit of the storage", fluentBit, `{fluentBit: {outputs: [{name: http, port: 80, storage.total_limit_size: 1G}]}}`, []string{"storage.total_limit_size"}},
		{"storage elsewhere", fluentBit, `{fluentBit: {service: {storage.path: /tmp}}}`, []string{"fluentBit.service.storage.path"}},
		{"an unknown port", fluentBit, `{fluentBit: {outputs: [{name: datadog}]}}`, []string{"networkPolicy.receiver.ports", "datadog"}},
		{"forward in Fluent Bit's mode", fluentBit, `{destination: {forward: "a:24224"}}`, []string{"destination", "fluentBit.outputs"}},
		{"detect in Fluent Bit's mode", fluentBit, `{detect: {enabled: true}}`, []string{"detect.enabled"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := try(with(t, test.values, test.more))
			if err == nil {
				t.Fatal("it was accepted")
			}
			for _, says := range test.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%v\ndoes not say %q", err, says)
				}
			}
		})
	}
}

// TestChart_EveryOptionWithASecretIsRefused looks the options up in the documentation, so
// that a new one cannot be forgotten here.
func TestChart_EveryOptionWithASecretIsRefused(t *testing.T) {
	page, err := os.ReadFile("../../docs/options.md")
	if err != nil {
		t.Fatal(err)
	}
	secrets := regexp.MustCompile("(?m)^\\| `([a-z_0-9]+)` \\| secret ").FindAllStringSubmatch(string(page), -1)
	if len(secrets) < 2 {
		t.Fatalf("%d options with a secret", len(secrets))
	}
	for _, option := range secrets {
		if _, err := try(with(t, example(t, "sidecar-values.yaml"), `{defaults: {`+option[1]+`: x}}`)); err == nil {
			t.Errorf("defaults.%s was accepted", option[1])
		}
	}
}
