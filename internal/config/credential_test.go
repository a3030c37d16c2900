package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestACredentialOfSystemdIsExplainedByItsSource(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	for _, c := range []struct {
		content string // "-": no file
		mode    os.FileMode
		want    []string
	}{
		{marker + "\n", 0o400, nil},
		{marker + "\n", 0o440, nil}, // the mask of the list that gives the unit's user access
		{marker + "\n", 0o444, []string{"can be read by others"}},
		{"\n", 0o400, []string{"is empty", "LoadCredential=token:", "install -m 600 /dev/stdin /etc/zitadel-siem/token", "systemctl restart"}},
		{"-", 0, []string{"does not exist", "LoadCredential=token:"}},
		{marker + " " + marker, 0o400, []string{"contains white space", "LoadCredential=token:"}},
	} {
		path := filepath.Join(dir, "token")
		_ = os.Remove(path)
		if c.content != "-" {
			if err := os.WriteFile(path, []byte(c.content), c.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, c.mode); err != nil {
				t.Fatal(err)
			}
		}
		values := base("state_path", filepath.Join(t.TempDir(), "s"), "token_file", path)
		delete(values, "token")
		_, warnings, err := Input.ParseMap(values, at(t))
		out := strings.Join(warnings, "\n")
		if err != nil {
			out += err.Error()
		}
		if len(c.want) == 0 && out != "" || strings.Contains(out, marker) {
			t.Errorf("%q, mode %o: %s", c.content, c.mode, out)
		}
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%q, mode %o: %s, want %q", c.content, c.mode, out, want)
			}
		}
	}
}

func TestTheDirectoryOfCredentialsIsExplainedOutsideSystemd(t *testing.T) {
	values := base("state_path", filepath.Join(t.TempDir(), "s"), "token_file", "${CREDENTIALS_DIRECTORY}/token")
	delete(values, "token")
	_, _, err := Input.ParseMap(values, at(t))
	if err == nil || !strings.Contains(err.Error(), "put CREDENTIALS_DIRECTORY=/etc/zitadel-siem in front of the command") {
		t.Errorf("%v", err)
	}
}
