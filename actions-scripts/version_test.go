package actionsscripts

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// Checksums of all versions: post_auth_log, post_auth_webhook. Add a line, change none: setup
// of an earlier zitadel-siem knows its own script by it.
var versions = map[int][2]string{
	1: {"3dc86223e558575d", "38f01e42711592ec"},
	2: {"e3adc1e89edf1ad2", "28e96f650feab85a"},
}

func TestAChangedScriptHasANewVersion(t *testing.T) {
	for i, script := range []string{PostAuthLog, PostAuthWebhook} {
		first, _, _ := strings.Cut(script, "\n")
		if want := versions[Version][i]; want == "" || !strings.Contains(first, "checksum "+want+".") {
			t.Errorf("%q is not version %d: if the script has changed, raise Version, run make scripts, and add the checksums here", first, Version)
		}
	}
	if len(versions) != Version {
		t.Errorf("%d versions are listed, want %d", len(versions), Version)
	}
}

func TestTheSealFindsEveryEditButTheSettings(t *testing.T) {
	for _, script := range []string{PostAuthLog, PostAuthWebhook} {
		is := func(what, script string, want Seal) {
			t.Helper()
			if got, ok := ReadSeal(script); !ok || got != want {
				t.Errorf("%s: %+v %v, want %+v", what, got, ok, want)
			}
		}
		sound, edited := Seal{Version: Version, Intact: true}, Seal{Version: Version}
		is("as it is", script, sound)
		is("lines of a browser", " \r\n"+strings.ReplaceAll(script, "\n", "\r\n")+"\r\n", sound)
		is("with settings", strings.NewReplacer(`"https://siem.example.com/zitadel/post-auth"`, `"https://a.example/\"b\""`, `"CHANGE-ME";`, `"$1 key";`).Replace(script), sound)
		is("another version", WithSeal(7, script), Seal{Version: 7, Intact: true})
		is("a comment above it", "// mine\n"+script, edited)
		is("a line below it", script+"var x;\n", edited)
		is("one letter", strings.Replace(script, "It reads no form", "It reads no Form", 1), edited)
		is("a false version", strings.Replace(script, fmt.Sprintf("version %d,", Version), "version 99,", 1), Seal{Version: 99})
		if s := strings.Replace(script, `var KEY = "CHANGE-ME";`, `var KEY = key();`, 1); s != script {
			is("an expression for the key", s, edited)
		}
		_, rest, _ := strings.Cut(script, "\n")
		if got, ok := ReadSeal(rest); ok {
			t.Errorf("no line: %+v", got)
		}
	}
}

// version1 is a script of version 1, as it was installed.
func version1(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/v1/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAScriptOfVersion1IsKnown(t *testing.T) {
	for i, name := range []string{"post_auth_log.js", "post_auth_webhook.js"} {
		script := version1(t, name)
		if seal, ok := ReadSeal(script); !ok || seal != (Seal{Version: 1, Intact: true}) || !strings.Contains(script, "checksum "+versions[1][i]+".") {
			t.Errorf("%s: %+v %v", name, seal, ok)
		}
	}
}
