package leaktest_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	startsGoroutine = regexp.MustCompile(`(?m)^\s*go [\w.]+[({]|[\w)]\.Go\(`)
	usesGoleak      = regexp.MustCompile(`\b(goleak\.VerifyTestMain|plugintest\.Main)\(`)
)

// The tests of a package that starts goroutines run under goleak. A package that
// only serves tests, and has none itself, is seen by those that it serves.
func TestPackagesThatStartGoroutinesUseGoleak(t *testing.T) {
	starts, tested, leaks := map[string]bool{}, map[string]bool{}, map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		// build may hold a toolchain; tools are not shipped, and have a go.mod of their own.
		if d != nil && d.IsDir() && (d.Name() == "build" || d.Name() == "tools") {
			return filepath.SkipDir
		}
		if err != nil || filepath.Ext(path) != ".go" {
			return err
		}
		source, err := os.ReadFile(path)
		dir := filepath.Dir(path)
		if strings.HasSuffix(path, "_test.go") {
			tested[dir], leaks[dir] = true, leaks[dir] || usesGoleak.Match(source)
		} else if startsGoroutine.Match(source) {
			starts[dir] = true
		}
		return err
	})
	if err != nil || len(starts) < 8 {
		t.Fatalf("found %d packages that start goroutines: %v", len(starts), err)
	}
	for dir := range starts {
		if !leaks[dir] && (tested[dir] || !strings.HasSuffix(dir, "test")) {
			t.Errorf("%s starts goroutines: give its tests a TestMain that calls goleak.VerifyTestMain", dir)
		}
	}
}
