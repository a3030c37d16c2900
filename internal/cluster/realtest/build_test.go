package realtest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// What a program of [program] reads from its environment.
const (
	envClock = "TEST_CLOCK" // by how much its wall clock is wrong
	envHost  = "TEST_HOST"  // its host name
)

// builtIn is removed at the end.
var builtIn string

func TestMain(m *testing.M) {
	code := m.Run()
	_ = os.RemoveAll(builtIn) // also if it is empty
	os.Exit(code)
}

// program builds zitadel-siem once. It differs from the one that is shipped in two functions of
// the standard library: time.Now adds what envClock says to the wall clock and not to the
// monotonic one, and os.Hostname returns envHost.
var program = sync.OnceValues(func() (path string, err error) {
	if builtIn, err = os.MkdirTemp("", "zitadel-siem-built-"); err != nil {
		return "", err
	}
	replaced, err := overlay(builtIn)
	if err != nil {
		return "", err
	}
	path = filepath.Join(builtIn, "zitadel-siem")
	args := []string{"build", "-tags", "netgo,osusergo,grpcnotrace,notfastpath", "-trimpath", "-buildvcs=false", "-overlay", replaced, "-o", path, "./cmd/zitadel-siem"}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Dir = "../../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go %q: %w\n%s", args, err, out)
	}
	return path, nil
})

const clock = `package time

import "syscall"

var wrongBy = func() Duration {
	text, _ := syscall.Getenv("` + envClock + `")
	d, _ := ParseDuration(text)
	return d
}()

// Now is the time of a wall clock that is wrong; the monotonic clock is not.
func Now() Time {
	right := rightNow()
	wrong := right.Add(wrongBy)
	if wrong.wall&hasMonotonic != 0 {
		wrong.ext = right.ext
	}
	return wrong
}
`

// overlay writes into dir what -overlay of go build wants: which files replace which.
func overlay(dir string) (string, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	std := filepath.Join(strings.TrimSpace(string(root)), "src")
	texts := map[string]string{"time/wrong.go": clock}
	for _, change := range []struct{ file, from, to string }{
		{"time/time.go", "\nfunc Now() Time {", "\nfunc rightNow() Time {"},
		{"os/sys.go", "return hostname()", "if name := Getenv(\"" + envHost + "\"); name != \"\" {\nreturn name, nil\n}\nreturn hostname()"},
	} {
		b, err := os.ReadFile(filepath.Join(std, change.file))
		if err != nil {
			return "", err
		}
		if strings.Count(string(b), change.from) != 1 {
			return "", fmt.Errorf("%s of this Go is not as expected: %q must be in it once", change.file, change.from)
		}
		texts[change.file] = strings.Replace(string(b), change.from, change.to, 1)
	}
	replace := map[string]string{}
	for file, text := range texts {
		path := filepath.Join(dir, filepath.Base(file))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(std, file)] = path
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, b, 0o600)
}
