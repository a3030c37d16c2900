package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// builtVariable names the directory with what build.sh has built. `make test` sets it, so
// that plugins and program are linked once and not once for each package.
const builtVariable = "ZITADEL_SIEM_BUILT"

// tags are those of build.sh.
const tags = "netgo,osusergo,grpcnotrace,notfastpath"

var builds struct {
	sync.Mutex
	dir  string           // holds what this process built
	errs map[string]error // by name
}

// Plugin returns the shared object of a plugin, in_zitadel or out_zitadel. It is in
// the directory of build.sh that ZITADEL_SIEM_BUILT names, or else built once in a process.
func Plugin(t testing.TB, name string) string {
	t.Helper()
	if !Built() && Compiler() == "" {
		t.Skip("no C compiler: the plugins were NOT built and NOT tested; install gcc")
	}
	return build(t, name+".so", "CGO_ENABLED=1", "-buildmode=c-shared", "plugin/"+name)
}

// Built reports whether build.sh has built what is tested.
func Built() bool { return os.Getenv(builtVariable) != "" }

// Program returns the program zitadel-siem, from where [Plugin] has plugins.
func Program(t testing.TB) string {
	t.Helper()
	return build(t, "zitadel-siem", "CGO_ENABLED=0", "-buildmode=exe", "cmd/zitadel-siem")
}

func build(t testing.TB, file, env, mode, source string) string {
	t.Helper()
	if dir := os.Getenv(builtVariable); dir != "" {
		path := filepath.Join(dir, file)
		if _, err := os.Stat(path); err != nil {
			t.Fatalf("%s=%s: %v; run ./build.sh, or unset the variable", builtVariable, dir, err)
		}
		return path
	}
	builds.Lock()
	defer builds.Unlock()
	if builds.dir == "" {
		dir, err := os.MkdirTemp("", "zitadel-siem-built")
		if err != nil {
			t.Fatal(err)
		}
		builds.dir, builds.errs = dir, map[string]error{}
	}
	path := filepath.Join(builds.dir, file)
	err, done := builds.errs[file]
	if !done {
		cmd := exec.Command("go", "build", mode, "-tags", tags, "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", path,
			"github.com/zitadel-siem/zitadel-siem/"+source)
		cmd.Env = append(os.Environ(), env)
		var out []byte
		if out, err = cmd.CombinedOutput(); err != nil {
			err = fmt.Errorf("go build: %w\n%s", err, out)
		}
		builds.errs[file] = err
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// RemoveBuilt removes what was built for this process. TestMain calls it at the end.
func RemoveBuilt() {
	builds.Lock()
	defer builds.Unlock()
	if builds.dir != "" {
		_ = os.RemoveAll(builds.dir)
		builds.dir = ""
	}
}

// Compiler returns a C compiler, or "".
func Compiler() string {
	for _, cc := range []string{os.Getenv("CC"), "gcc", "cc", "clang"} {
		if cc == "" {
			continue
		}
		if path, err := exec.LookPath(cc); err == nil {
			return path
		}
	}
	return ""
}
