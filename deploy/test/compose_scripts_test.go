package deploy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	compose "github.com/compose-spec/compose-go/v2/types"
)

// TestCompose_InitMakesOtherPasswordsEachTimeAndKeepsThem runs init.sh.
func TestCompose_InitMakesOtherPasswordsEachTimeAndKeepsThem(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("init.sh gives files to other users, which only root may: it was NOT run")
	}
	script, err := filepath.Abs(filepath.Join(composeDir, "init.sh"))
	if err != nil {
		t.Fatal(err)
	}
	initialize := func(dir string) map[string]string {
		for _, v := range composed(t).Services["init"].Volumes {
			if v.Type == compose.VolumeTypeVolume {
				if err := os.MkdirAll(filepath.Join(dir, filepath.Base(v.Target)), 0o700); err != nil {
					t.Fatal(err)
				}
			}
		}
		cmd := exec.CommandContext(t.Context(), "sh", script)
		cmd.Env = append(os.Environ(), "VOLUMES="+dir)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Fatalf("%v: %s", err, out)
		}
		files := map[string]string{}
		paths, _ := filepath.Glob(filepath.Join(dir, "*", "*"))
		for _, path := range paths {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s has mode %o", path, info.Mode().Perm())
			}
			if text, err := os.ReadFile(path); err == nil {
				files[strings.TrimPrefix(path, dir)] = string(text)
			}
		}
		return files
	}
	dir := t.TempDir()
	one, again, other := initialize(dir), initialize(dir), initialize(t.TempDir())
	if !maps.Equal(one, again) {
		t.Error("a second start changed a password")
	}
	if len(one) != 6 {
		t.Errorf("files %v", slices.Sorted(maps.Keys(one)))
	}
	for file, text := range one {
		if text == other[file] {
			t.Errorf("%s is the same everywhere", file)
		}
	}
	if n := len(one["/zitadel/masterkey"]); n != 32 {
		t.Errorf("the master key has %d bytes; ZITADEL wants 32", n)
	}
}

// TestCompose_SetupCreatesAUserWhoMayOnlyRead runs setup.sh against a server that answers as
// ZITADEL does.
func TestCompose_SetupCreatesAUserWhoMayOnlyRead(t *testing.T) {
	if _, err := exec.LookPath("wget"); err != nil {
		t.Skip("no wget on PATH: setup.sh was NOT run")
	}
	var asked []string
	starting := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Authorization") != "Bearer the-token-of-the-owner" || starting {
			starting = false
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		call := r.Method + " " + r.URL.Path
		asked = append(asked, strings.TrimSpace(call+" "+string(body)))
		fmt.Fprint(w, map[string]string{
			"GET /auth/v1/users/me":             `{"user":{"id":"1", "details":{"sequence":"1"}}}`,
			"POST /management/v1/users/machine": `{"userId":"2", "details":{"sequence":"1"}}`,
			"POST /admin/v1/members":            `{"details":{}}`,
			"POST /management/v1/users/2/pats":  `{"tokenId":"3", "token":"the-token-of-the-reader", "details":{}}`,
			"POST /v2/users/1/deactivate":       `{"details":{}}`,
		}[call])
	}))
	defer server.Close()
	dir := t.TempDir()
	setup := func() (string, error) {
		cmd := exec.CommandContext(t.Context(), "sh", filepath.Join(composeDir, "setup.sh"))
		cmd.Env = append(os.Environ(), "ZITADEL="+server.URL, "SETUP="+dir+"/setup", "READER="+dir+"/reader")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, name := range []string{"setup", "reader"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := setup(); err == nil || !strings.Contains(out, "docker compose down -v") {
		t.Errorf("without a token: %v, %s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "setup/token"), []byte("the-token-of-the-owner\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := setup(); err != nil || strings.Contains(out, "the-token") {
		t.Fatalf("%v: %s", err, out)
	}
	want := []string{
		"GET /auth/v1/users/me",
		`POST /management/v1/users/machine {"userName": "zitadel-siem", "name": "zitadel-siem", "description": "Reads events"}`,
		`POST /admin/v1/members {"userId": "2", "roles": ["IAM_OWNER_VIEWER"]}`,
		`POST /management/v1/users/2/pats {"expirationDate": "2099-01-01T00:00:00Z"}`,
		"POST /v2/users/1/deactivate {}",
	}
	if !slices.Equal(asked, want) {
		t.Errorf("asked\n%s\nwant\n%s", strings.Join(asked, "\n"), strings.Join(want, "\n"))
	}
	path := filepath.Join(dir, "reader/token")
	token, err := os.ReadFile(path)
	if err != nil || string(token) != "the-token-of-the-reader" {
		t.Errorf("token %q, %v", token, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := os.Stat(filepath.Join(dir, "setup/token")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the token of the owner is still there: %v", err)
	}
	if out, err := setup(); err != nil || len(asked) != len(want) {
		t.Errorf("a second run: %v, %s, asked %v", err, out, asked[len(want):])
	}
}
