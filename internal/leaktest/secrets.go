package leaktest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Secrets must appear nowhere. Each has a name for error messages, because a test that
// fails must not print it either.
type Secrets map[string]string

// WantNone searches a text for every spelling of every secret.
func (s Secrets) WantNone(t testing.TB, where string, text []byte) {
	t.Helper()
	for name, secret := range s {
		for how, spelling := range spellings(secret) {
			if i := bytes.Index(text, []byte(spelling)); i >= 0 {
				t.Errorf("%s holds the %s, %s, behind %q", where, name, how, text[max(0, i-60):i])
				break
			}
		}
	}
}

// WantNoneBelow searches all files of a directory, names included, and returns how
// many there are. Our own files must be readable by their owner alone.
func (s Secrets) WantNoneBelow(t testing.TB, dir string, ours func(name string) bool) (files int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		info, err := d.Info()
		if err != nil {
			return err
		}
		if ours(name) && !d.IsDir() && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %04o, want 0600", name, info.Mode().Perm())
		}
		s.WantNone(t, "the name "+name, []byte(name))
		if !info.Mode().IsRegular() {
			return nil
		}
		files++
		text, err := os.ReadFile(path)
		s.WantNone(t, name, text)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return files
}

// CommandLine is the command line of a process, which ps shows to every user of the
// machine. It is empty once the process has ended and nobody has waited for it.
func CommandLine(t testing.TB, pid int) []byte {
	t.Helper()
	line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// spellings are a secret in clear, in JSON, in a URL, in hex, and at any place within
// base64.
func spellings(secret string) map[string]string {
	quoted, _ := json.Marshal(secret) // a string
	all := map[string]string{
		"in clear":   secret,
		"in JSON":    strings.Trim(string(quoted), `"`),
		"in a query": url.QueryEscape(secret), "in a path": url.PathEscape(secret),
		"in hex": hex.EncodeToString([]byte(secret)), "in HEX": strings.ToUpper(hex.EncodeToString([]byte(secret))),
	}
	for before, code := range map[string]*base64.Encoding{"in base64": base64.RawStdEncoding, "in base64url": base64.RawURLEncoding} {
		for shift := range 3 {
			text := code.EncodeToString(append(make([]byte, shift), secret...))
			if (shift+len(secret))%3 > 0 {
				text = text[:len(text)-1] // it depends on the next byte
			}
			all[before+" "+strconv.Itoa(shift)] = text[[]int{0, 2, 3}[shift]:]
		}
	}
	return all
}
