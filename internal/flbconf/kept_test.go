package flbconf

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// kept are the names that Fluent Bit keeps for itself, by the kind of section.
func kept(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "kept.txt"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) != 3 || !strings.HasPrefix(fields[2], "src/") {
			t.Fatalf("not a kind, a name and a place in the source: %s", line)
		}
		names[fields[0]] = append(names[fields[0]], fields[1])
	}
	if len(names["input"]) != 41 || len(names["output"]) != 38 {
		t.Fatalf("%d names of inputs and %d of outputs", len(names["input"]), len(names["output"]))
	}
	return names
}

// keeper returns the kept name because of which a plugin does not get an option.
func keeper(names []string, option string) string {
	option = strings.ToLower(option)
	for _, name := range names {
		if prefix, family := strings.CutSuffix(name, "*"); option == name || family && strings.HasPrefix(option, prefix) {
			return name
		}
	}
	return ""
}

// An option with such a name works with the C host and in the sidecar, and never in Fluent
// Bit: listen was one.
func TestNoOptionHasANameThatFluentBitKeepsForItself(t *testing.T) {
	names := kept(t)
	for kind, options := range map[string]config.Options{"input": config.Input.Options, "output": config.Output.Options} {
		for _, o := range options {
			if by := keeper(names[kind], o.Name); by != "" {
				t.Errorf("%s: Fluent Bit keeps %s of an %s for itself: choose another name", o.Name, by, kind)
			}
		}
	}
	for option, by := range map[string]string{"listen": "listen", "Port": "port", "net.keepalive": "net.*", "oauth2_id": "oauth2*", "webhook_listen": "", "listen_x": "", "tlsx": ""} {
		if got := keeper(names["input"], option); got != by {
			t.Errorf("%s is kept by %q, want %q", option, got, by)
		}
	}
}

func TestTheCheckKnowsAllNamesThatFluentBitKeeps(t *testing.T) {
	for kind, names := range kept(t) {
		host := hostedBy[kind]
		for _, name := range names {
			_, idle := host.ignored(strings.TrimSuffix(name, "*"))
			if !idle && !slices.Contains(host.keys, name) {
				t.Errorf("%s of an %s is not in hostedBy", name, kind)
			}
		}
		known := slices.Clone(host.keys)
		for name := range host.idle {
			known = append(known, name)
		}
		for _, name := range known {
			if keeper(names, name) == "" {
				t.Errorf("Fluent Bit does not keep %s of an %s", name, kind)
			}
		}
	}
}

// What the check advises instead of a name that is kept must reach the plugin.
func TestAdviceInsteadOfAKeptNameIsAnOption(t *testing.T) {
	for kind, options := range map[string]config.Options{"input": config.Input.Options, "output": config.Output.Options} {
		for _, advice := range []map[string]string{hostedBy[kind].idle, hostedBy[kind].prefixes} {
			for name, ours := range advice {
				if _, ok := options.Lookup(ours); ours != "" && !ok {
					t.Errorf("%s of an %s: %s is not an option", name, kind, ours)
				}
			}
		}
	}
}
