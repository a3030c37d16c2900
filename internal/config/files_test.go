package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key := `{"type":"serviceaccount","keyId":"1","key":"` + marker + `","userId":"2"}`
	for _, c := range []struct {
		option, path, want string
	}{
		{"token_file", write("good", marker+"\n", 0o600), ""},
		{"token_file", write("open", marker, 0o644), "can be read by others (mode 0644); chmod 600 "},
		{"token_file", write("group", marker, 0o640), ""},
		{"token_file", write("group-writes", marker, 0o660), "can be changed by its group (mode 0660); chmod 600 "},
		{"token_file", write("empty", " \n", 0o600), "is empty"},
		{"token_file", write("two", marker+"\n"+marker, 0o600), "contains white space inside the secret"},
		{"token_file", write("json", key, 0o600), "use key_file for the JSON key of a service user"},
		{"token_file", dir, "is a directory, not a file"},
		{"token_file", "/dev/null", "is not a regular file"},
		{"token_file", marker, "a value of 30 bytes does not exist; this looks like the secret itself"},
		{"key_file", write("key.json", key, 0o600), ""},
		{"key_file", write("app.json", `{"type":"application","keyId":"1","key":"k"}`, 0o600), "is the key of an application"},
		{"key_file", write("half.json", `{"type":"serviceaccount","keyId":"1"}`, 0o600), "does not have all of keyId, key and userId"},
		{"key_file", write("pem", marker, 0o600), "is not the JSON key"},
		{"ca_file", write("ca.pem", marker, 0o644), "does not contain a PEM certificate"},
		{"ca_file", write("big.pem", strings.Repeat("x", maxFile+1), 0o644), "is larger than 1 MiB"},
	} {
		values := base("state_path", filepath.Join(dir, "s"), c.option, c.path)
		if c.option != "ca_file" {
			delete(values, "token")
		}
		_, warnings, err := Input.ParseMap(values, at(t))
		out := strings.Join(warnings, "\n")
		if err != nil {
			out += err.Error()
		}
		if c.want == "" && out != "" || !strings.Contains(out, c.want) || strings.Contains(out, marker) {
			t.Errorf("%s=%s: %s, want %q", c.option, filepath.Base(c.path), out, c.want)
		}
	}
}
