package flbconf

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

const marker = "MARKER-s3cr3t-0123456789abcdef"

func options() Options {
	return Options{
		LookupEnv: func(name string) (string, bool) {
			v, ok := map[string]string{"ZITADEL_TOKEN": marker, "SHARED_KEY": marker}[name]
			return v, ok
		},
		Parse: config.ParseOptions{NoFiles: true, Now: func() time.Time { return time.Date(2026, 7, 10, 12, 0, 0, 0, time.UTC) }},
	}
}

func TestGoodConfigurationsHaveNoFindings(t *testing.T) {
	for file, inputs := range map[string]int{"good.yaml": 2, "good.conf": 1, "outer.yaml": 1} {
		report, err := Check(filepath.Join("testdata", file), options())
		if err != nil || len(report.Findings) > 0 {
			t.Errorf("%s: %v %v", file, err, report.Findings)
		}
		if len(report.Inputs) != inputs {
			t.Errorf("%s: %d inputs", file, len(report.Inputs))
			continue
		}
		for _, in := range report.Inputs {
			if !in.Usable || in.Settings.URL == nil {
				t.Errorf("%s:%d: not usable: %s", in.File, in.Line, in.Settings)
			}
		}
	}
	report, _ := Check("testdata/good.yaml", options())
	prod, test := report.Inputs[0], report.Inputs[1]
	if prod.Tag != "audit.prod" || prod.Settings.Token.Reveal() != marker || prod.Settings.StatePath != "/var/lib/zitadel-siem/prod.state" ||
		len(prod.Settings.EventTypes) != 2 || test.Settings.URL.String() != "https://zitadel.test.example:8443" {
		t.Errorf("%+v\n%+v", prod, test)
	}
	if report, _ := Check("testdata/outer.yaml", options()); report.Inputs[0].Tag != "zitadel.0" || report.Inputs[0].File != "testdata/include/zitadel.yaml" {
		t.Errorf("%+v", report.Inputs[0])
	}
}

// readExample reads a file of testdata; inline.conf is good.conf, plain.yaml
// is outer.yaml with the include written out.
func readExample(t *testing.T, file string) string {
	t.Helper()
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if file == "inline.conf" {
		_, input, _ := strings.Cut(read("include/zitadel.conf"), "\n")
		return strings.Replace(read("good.conf"), "@INCLUDE include/*.conf\n", input, 1)
	}
	if file == "plain.yaml" {
		_, pipeline, _ := strings.Cut(read("include/zitadel.yaml"), "\n")
		_, rest, _ := strings.Cut(read("outer.yaml"), "zitadel.yaml\n")
		return strings.Replace(rest, "pipeline:\n", pipeline, 1)
	}
	return read(file)
}

func TestIncludesAreBounded(t *testing.T) {
	dir := t.TempDir()
	main := filepath.Join(dir, "a.yaml")
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a.yaml", "includes:\n  - b.yaml\n")
	write("b.yaml", "includes:\n  - a.yaml\n")
	report, err := Check(main, options())
	if err != nil || !strings.Contains(fmt.Sprint(report.Findings), "included twice") {
		t.Error(err, report.Findings)
	}
	for i := range 20 {
		write(fmt.Sprintf("n%d.conf", i), fmt.Sprintf("@INCLUDE n%d.conf\n", i+1))
	}
	report, err = Check(filepath.Join(dir, "n0.conf"), options())
	if err != nil || !strings.Contains(fmt.Sprint(report.Findings), "levels of includes") {
		t.Error(err, report.Findings)
	}
	write("big.yaml", strings.Repeat("#", maxFileSize+1))
	if _, err := Check(filepath.Join(dir, "big.yaml"), options()); err == nil {
		t.Error("a file of any size is read")
	}
	if _, err := Check(filepath.Join(dir, "none.yaml"), options()); err == nil {
		t.Error("a missing file is no error")
	}
}

// Law 6: whatever key a secret stands under, no finding repeats it.
func TestNoSecretInAnyFinding(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"good.yaml", "parse.yaml"} {
		noSecretInAnyFinding(t, readExample(t, file))
	}
}

func noSecretInAnyFinding(t *testing.T, text string) {
	t.Helper()
	for _, line := range strings.Split(text, "\n") {
		key, _, ok := strings.Cut(line, ": ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		for _, wrong := range []string{key + ": ${ZITADEL_TOKEN}", "      api_token: " + marker, key + "x: " + marker, key + ": *" + marker} {
			path := filepath.Join(t.TempDir(), "c.yaml")
			if err := os.WriteFile(path, []byte(strings.Replace(text, line, wrong, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			report, err := Check(path, options())
			if out := fmt.Sprint(report.Findings, err); strings.Contains(strings.ToUpper(out), strings.ToUpper(marker)) {
				t.Errorf("%s: %s", wrong, out)
			}
		}
	}
}

func TestMatchTag(t *testing.T) {
	for _, c := range []struct {
		pattern, tag string
		want         bool
	}{
		{"*", "a.b", true}, {"a.b", "a.b", true}, {"a.*", "a.b", true}, {"a.*", "a", false}, {"*b", "a.b", true}, {"a*c", "abbc", true},
		{"a*c", "ab", false}, {"*a*b*", "xaxbx", true}, {"**", "x", true}, {"", "", true}, {"a", "ab", false}, {"a*a", "a", false},
	} {
		if got := meet(c.pattern, c.tag); got != c.want {
			t.Errorf("%q %q: %v", c.pattern, c.tag, got)
		}
	}
}

func TestMeet(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"a.*", "*.b", true}, {"a.*", "b.*", false}, {"*", "*", true}, {"a*c", "ab*", true}, {"a*c", "*d", false}, {"", "*", true},
		{"kube.*", "kube.var.log.*zitadel*.log", true}, {"kube.var.log.nginx*", "kube.var.log.zitadel*.log", false}, {"*x", "a*b", false},
	} {
		for _, pair := range [][2]string{{c.a, c.b}, {c.b, c.a}} {
			if got := meet(pair[0], pair[1]); got != c.want {
				t.Errorf("%q: %v", pair, got)
			}
		}
	}
}

func TestExpand(t *testing.T) {
	c := newChecker(options(), &loader{env: map[string]string{"A": "1"}, fileEnv: map[string]bool{"F": true}})
	for in, want := range map[string]string{"${A}${A}": "11", "x${B:-y}z": "xyz", "${A:-2}": "1", "${": "${", "$A": "$A", "${B:-}": "", "${B}": ""} {
		if got := c.expand(in).value; got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	if e := c.expand("${B}${F}"); len(e.unset) != 1 || !e.file {
		t.Errorf("%+v", e)
	}
}

func fuzzSeeds(f *testing.F, names ...string) {
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

func FuzzClassic(f *testing.F) {
	fuzzSeeds(f, "good.conf", "include/zitadel.conf", "parse.conf")
	f.Add([]byte("[INPUT\n[x]\n  [g]\n    a b\n@SET a=b\n@SET\n\t\n"))
	f.Fuzz(func(t *testing.T, data []byte) { fuzz(t, data, (*loader).classic) })
}

func FuzzYAML(f *testing.F) {
	fuzzSeeds(f, "good.yaml", "parse.yaml")
	f.Add([]byte("pipeline: {inputs: [{name: zitadel, \"\": x}]}\n"))
	f.Add([]byte("pipeline: &a {inputs: [*a, {name: zitadel, routes: [*a]}]}\n"))
	f.Fuzz(func(t *testing.T, data []byte) { fuzz(t, data, (*loader).yaml) })
}

// fuzz wants no panic, and findings that stay on one line of the file.
func fuzz(t *testing.T, data []byte, read func(*loader, string, []byte, int)) {
	l := newLoader("none/x")
	read(l, "x", data, maxDepth)
	c := newChecker(options(), l)
	c.check("x")
	lines := strings.Count(string(data), "\n") + 2
	for _, f := range c.findings {
		if f.Line < 1 || f.Line > lines || f.What == "" || strings.ContainsAny(f.What, "\n\r") {
			t.Fatalf("%d lines: %+v", lines, f)
		}
	}
}
