package pseudonym

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadKey(t *testing.T) {
	dir := t.TempDir()
	hexKey := strings.Repeat("0123456789abcdef", 4)
	for _, c := range []struct {
		name, text string
		mode       os.FileMode
		want       string // in the error; "" for none
	}{
		{"base64", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n", 0o600, ""},
		{"raw base64", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY", 0o400, ""},
		{"base64 of URLs", "__79_Pv6-fj39vX08_Lx8O_u7ezr6uno5-bl5OPi4eA=", 0o600, ""},
		{"hex", hexKey + "\n", 0o640, ""},
		{"longer hex", hexKey + hexKey, 0o600, ""},
		{"empty", " \n", 0o600, "is empty"},
		{"short", "MDEyMzQ1Njc4OWFiY2RlZg==", 0o600, "16 bytes, fewer than 32"},
		{"short hex", "00112233445566778899aabbccddeeff", 0o600, "fewer than 32"},
		{"text", "correct horse battery staple", 0o600, "neither base64 nor hex"},
		{"zeros", strings.Repeat("00", 32), 0o600, "repeated byte"},
		{"large", strings.Repeat("a", 5000), 0o600, "more than 4096 bytes"},
		{"open", hexKey, 0o644, "chmod 600"},
	} {
		path := filepath.Join(dir, c.name)
		if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		key, err := ReadKey(path)
		if c.want == "" {
			if err != nil || len(key) < MinKey {
				t.Errorf("%s: %d bytes, %v", c.name, len(key), err)
			}
			continue
		}
		checkKeyError(t, c.name, err, path, c.want)
		if text := strings.TrimSpace(c.text); text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%s: the error holds the key: %v", c.name, err)
		}
	}
	_, err := Load(filepath.Join(dir, "none"))
	checkKeyError(t, "missing", err, filepath.Join(dir, "none"), "no such file")
	_, err = Load(dir)
	checkKeyError(t, "directory", err, dir, "not a regular file")
}

func checkKeyError(t *testing.T, name string, err error, path, want string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", name)
		return
	}
	for _, part := range []string{want, "pseudonyms_key_file", path, "openssl rand -base64 32"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %q is not in %v", name, part, err)
		}
	}
}
