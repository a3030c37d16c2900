package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sourcesDir writes the files of a sources_dir, by name.
func sourcesDir(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSourcesDir_EachFileIsASourceOrAList(t *testing.T) {
	states := t.TempDir()
	dir := sourcesDir(t, map[string]string{
		"b.yml":       "- url: https://b1.example.com\n- url: https://b2.example.com\n  token: other\n",
		"a.yaml":      "url: https://a.example.com\n",
		".c.yaml":     "url: https://hidden.example.com\n",
		"README.md":   "no source",
		"d.yaml.swp":  "no source",
		"empty-1.yml": "[]\n",
	})
	if err := os.Mkdir(filepath.Join(dir, "e.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	path := writeSources(t, "state_dir: "+states+"\nsources_dir: "+dir+"\ndefaults: {token: mine}\nsources: [{url: \"https://own.example.com\"}]\n")
	got, err := ReadSources(path, noEnv, ParseOptions{})
	if err != nil || len(got.Warnings) > 0 || got.Dir != dir {
		t.Fatal(err, got.Warnings, got.Dir)
	}
	var brief []string
	for _, s := range got.List {
		brief = append(brief, s.Instance+" "+s.Token.Reveal())
	}
	if d := cmp.Diff([]string{"own.example.com mine", "a.example.com mine", "b1.example.com mine", "b2.example.com other"}, brief); d != "" {
		t.Error(d)
	}

	empty := writeSources(t, "sources_dir: "+t.TempDir()+"\n")
	if got, err := ReadSources(empty, noEnv, ParseOptions{}); err != nil || len(got.List) != 0 {
		t.Errorf("a directory without files yet: %v, %v", got.List, err)
	}
}

func TestSourcesDir_AProblemNamesItsFileAndLine(t *testing.T) {
	states := t.TempDir()
	dir := sourcesDir(t, map[string]string{
		"a.yaml": "url: https://a.example.com\n",
		"b.yaml": "- url: https://b.example.com\n- instance: c\n  interval: 1s\n",
		"c.yaml": "instance: a.example.com\nurl: https://a.example.com\n",
		"d.yaml": "instance: [\n",
		"e.yaml": "",
		"f.yaml": "text\n",
		"g.yaml": "url: https://g.example.com\nsources_dir: x\nsettle: 1s\nsettle: 2s\n",
	})
	path := writeSources(t, "state_dir: "+states+"\nsources_dir: "+dir+"\ndefaults: {token: x}\nsources:\n- {url: \"https://b.example.com\"}\n")
	_, err := ReadSources(path, noEnv, ParseOptions{})
	if err == nil {
		t.Fatal("no error")
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	want := "--config " + path + ": " + strings.Join([]string{
		at("b.yaml") + " line 2: url: is missing; for example https://zitadel.example.com",
		at("b.yaml") + " line 3: interval: is not an option of zitadel-siem; did you mean poll_interval?",
		at("d.yaml") + ": line 1: is not valid YAML; put a value that begins with a special character, such as * or &, in quotes",
		at("e.yaml") + ": is empty: it must have the options of a source, beginning with `url:`, or a list of sources",
		at("f.yaml") + " line 1: must be a map of options",
		at("g.yaml") + " line 4: \"settle\" is already in line 3: remove one of the two",
		at("g.yaml") + " line 2: sources_dir: is not an option of zitadel-siem",
	}, "\n  ")
	if got := strings.Split(err.Error(), "\n  "+at("b.yaml")+" line 1: ")[0]; got != want {
		t.Error(cmp.Diff(want, got))
	}
	for _, part := range []string{
		at("b.yaml") + " line 1: instance \"b.example.com\" is also used by the source in line 5; ",
		at("c.yaml") + " line 1: state_path \"" + StateIn(states, "a.example.com") + "\" is also used by the source in " + at("a.yaml") + " line 1; ",
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("missing: %s\n%v", part, err)
		}
	}
}

func TestSourcesDir_ThatIsNone(t *testing.T) {
	file := writeSources(t, "x")
	for text, want := range map[string]string{
		"sources_dir: /nowhere/at/all":                            `line 1: sources_dir "/nowhere/at/all": no such file or directory; name a directory that this user can read`,
		"sources_dir: " + file:                                    `line 1: sources_dir "` + file + `": not a directory; name a directory that this user can read`,
		"sources_dir: [a]":                                        `line 1: "sources_dir" must be a plain value, the path of a directory`,
		"sources_dir:":                                            `line 1: "sources_dir" is "": write the path of a directory`,
		"sources_dir: .\nstate_dir: ${NOT_SET}":                   `line 2: "state_dir" is "${NOT_SET}": write the path of a directory`,
		"state_dir: /nowhere/at/all\nsources_dir: " + t.TempDir(): `line 1: state_dir "/nowhere/at/all" does not exist; mkdir -p -m 700 /nowhere/at/all`,
		"state_dir: " + file + "\nsources_dir: " + t.TempDir():    `line 1: state_dir "` + file + `" is not a directory: name one`,
	} {
		path := writeSources(t, text)
		if _, err := ReadSources(path, noEnv, ParseOptions{}); err == nil || err.Error() != "--config "+path+": "+want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestSourcesDir_AllFilesTogetherAreBounded(t *testing.T) {
	large := "#" + strings.Repeat("x", 9<<20) + "\n[]\n"
	dir := sourcesDir(t, map[string]string{"a.yaml": large, "b.yaml": large})
	path := writeSources(t, "sources_dir: "+dir+"\n")
	if _, err := ReadSources(path, noEnv, ParseOptions{}); err == nil || !strings.Contains(err.Error(), "more than 16 MiB of sources") {
		t.Error(err)
	}
}

func TestSources_AWrongDefaultOfManySourcesIsAShortError(t *testing.T) {
	var text strings.Builder
	text.WriteString("sources:\n")
	for i := range 1000 {
		fmt.Fprintf(&text, "- {instance: s%d}\n", i)
	}
	_, err := ReadSources(writeSources(t, text.String()), noEnv, ParseOptions{})
	if n := strings.Count(err.Error(), "\n"); n != maxProblems || !strings.HasSuffix(err.Error(), "\n  and 2900 more") {
		t.Errorf("%d lines, %.200s", n, err.Error()[len(err.Error())-100:])
	}
}

func TestStateDir_EachSourceHasItsOwnFile(t *testing.T) {
	dir := t.TempDir()
	long := strings.Repeat("ä", 100)
	seen := map[string]bool{}
	for _, instance := range []string{"a", "b", "..", "a b", "a%20b", long, long + "b"} {
		path := StateIn(dir, instance)
		if seen[path] || len(filepath.Base(path)) > 220 || filepath.Dir(filepath.Dir(path)) != dir {
			t.Errorf("%q: %s", instance, path)
		}
		seen[path] = true
		s := Settings{StateDir: dir, StatePath: path}
		for range 2 { // the second time it is there
			if err := s.MakeStateDir(); err != nil {
				t.Fatal(err)
			}
		}
		if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%v %v", info, err)
		}
	}
	if want := filepath.Join(dir, "ca", "a.state"); StateIn(dir, "a") != want {
		t.Errorf("%s, want %s: a path that changes loses the state", StateIn(dir, "a"), want)
	}
	path := writeSources(t, "state_dir: "+dir+"\nsources:\n- {url: \"https://a.example.com\", token: x, state_path: "+dir+"/own}\n"+
		"- {url: \"https://b.example.com\", token: x, webhook_listen: \"127.0.0.1:0\", webhook_keys_dir: "+dir+"}\n")
	got, err := ReadSources(path, noEnv, ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := got.List[0], got.List[1]; a.StatePath != dir+"/own" || a.StateDir != "" || b.StatePath != StateIn(dir, "b.example.com") || b.Listen.SpoolPath != b.StatePath+".spool" {
		t.Errorf("%s %s %s", a.StatePath, b.StatePath, b.Listen.SpoolPath)
	}
}

// Kubernetes exchanges the link ..data when a mounted ConfigMap changes.
func TestStampSources_SeesAnExchangedLink(t *testing.T) {
	path, dir := writeSources(t, "x"), t.TempDir()
	version := func(name, text string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "a.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(name, filepath.Join(dir, "..new")); err != nil {
			t.Skip(err)
		}
		if err := os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	version("..1", "url: a")
	if err := os.Symlink("..data/a.yaml", filepath.Join(dir, "a.yaml")); err != nil {
		t.Fatal(err)
	}
	one := StampSources(path, dir)
	if StampSources(path, dir) != one {
		t.Error("it changes by itself")
	}
	version("..2", "url: b")
	two := StampSources(path, dir)
	if err := os.WriteFile(filepath.Join(dir, "b.yaml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	three := StampSources(path, dir)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if four := StampSources(path, dir); one == two || two == three || three == four {
		t.Error("a change is not seen")
	}
}

const manySources = 10_000

func manyFiles(b *testing.B, perFile int) (path, dir string) {
	files := map[string]string{}
	for i := 0; i < manySources; i += perFile {
		var text strings.Builder
		for n := i; n < i+perFile; n++ {
			fmt.Fprintf(&text, "- instance: customer-%05d\n  url: https://customer-%05d.zitadel.example.com\n  aggregate_types: [user, session]\n", n, n)
		}
		files[fmt.Sprintf("%05d.yaml", i)] = text.String()
	}
	dir = sourcesDir(b, files)
	path = filepath.Join(b.TempDir(), "config.yaml")
	token := filepath.Join(filepath.Dir(path), "token")
	if err := os.WriteFile(token, []byte("token"), 0o600); err != nil {
		b.Fatal(err)
	}
	text := "state_dir: " + b.TempDir() + "\nsources_dir: " + dir + "\ndefaults: {token_file: " + token + ", forward: 127.0.0.1:24224}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return path, dir
}

// 10,000 sources, in one file and in a file each, and what a look at unchanged files costs.
func BenchmarkReadSources(b *testing.B) {
	for name, perFile := range map[string]int{"one file": manySources, "10000 files": 1} {
		path, dir := manyFiles(b, perFile)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				got, err := ReadSources(path, noEnv, ParseOptions{})
				if err != nil || len(got.List) != manySources {
					b.Fatal(err, len(got.List))
				}
			}
		})
		b.Run("stamp of "+name, func(b *testing.B) {
			for b.Loop() {
				StampSources(path, dir)
			}
		})
	}
}
