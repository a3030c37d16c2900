package packaging

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

func TestMain(m *testing.M) {
	// chroot, and what dpkg and rpm call, is in sbin, which a plain PATH does not have.
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	code := m.Run()
	testkit.RemoveBuilt()
	os.RemoveAll(packed.dir)
	os.Exit(code)
}

const (
	packedVersion = "0.0.1"
	// The module of nfpm is that of the other tools for a release, and no dependency of
	// the program.
	toolsModule = "../tools/release/go.mod"
)

// packed are the packages that this process made.
var packed struct {
	sync.Mutex
	dir   string
	files map[string]string // by the name of the file
}

// pack returns the .deb with what was built, made once. Compressing it would take longer
// than all the tests.
func pack(t *testing.T) string {
	t.Helper()
	return packOnce(t, "deb", "built", func(t *testing.T, dir string) {
		for name, path := range map[string]string{
			"zitadel-siem": testkit.Program(t), "in_zitadel.so": testkit.Plugin(t, "in_zitadel"), "out_zitadel.so": testkit.Plugin(t, "out_zitadel"),
		} {
			data, err := os.ReadFile(path) // nfpm would pack a symbolic link as such
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, name), data, 0o755)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

// packList returns a package whose programs are empty files: its list of files is right.
func packList(t *testing.T, packager string) string {
	t.Helper()
	return packOnce(t, packager, "listed", func(t *testing.T, dir string) {
		for _, name := range []string{"zitadel-siem", "in_zitadel.so", "out_zitadel.so"} {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func packOnce(t *testing.T, packager, kind string, programs func(t *testing.T, dir string)) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("packages are made on Linux: NONE was made")
	}
	tools, err := filepath.Abs(toolsModule)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(tools); err != nil {
		t.Skipf("%s does not exist, so there is no nfpm: NO package was made", toolsModule)
	}
	packed.Lock()
	defer packed.Unlock()
	if packed.dir == "" {
		if packed.dir, err = os.MkdirTemp("", "zitadel-siem-packed"); err != nil {
			t.Fatal(err)
		}
		packed.files = map[string]string{}
	}
	name := kind + "." + packager
	if packed.files[name] != "" {
		return packed.files[name]
	}
	program, err := filepath.Abs(testkit.Program(t))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(packed.dir, kind)
	env := append(os.Environ(), "VERSION="+packedVersion, "ARCH="+runtime.GOARCH, "RELEASE_DIR="+dir, "GENERATOR="+program, "SOURCE_DATE_EPOCH=1700000000")
	if err := os.Mkdir(dir, 0o755); err == nil {
		programs(t, dir)
		inRoot(t, env, "packaging/stage.sh", dir)
	} else if !os.IsExist(err) {
		t.Fatal(err)
	}
	target := filepath.Join(packed.dir, name)
	nfpm := []string{"go", "tool", "-modfile=" + tools, "nfpm"}
	if out, err := exec.Command(nfpm[0], append(nfpm[1:], "--version")...).CombinedOutput(); err != nil {
		t.Skipf("nfpm cannot be built, NO package was made; go mod download -modfile=%s: %.300s", toolsModule, out)
	}
	inRoot(t, env, append(nfpm, "package", "--config", uncompressed(t), "--packager", packager, "--target", target)...)
	packed.files[name] = target
	return target
}

// uncompressed returns nfpm.yaml with a .deb that is not compressed.
func uncompressed(t *testing.T) string {
	t.Helper()
	config, err := os.ReadFile("nfpm.yaml")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "nfpm.yaml")
	if err := os.WriteFile(path, append(config, "deb:\n  compression: none\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// inRoot runs a command in the root of the sources.
func inRoot(t *testing.T, env []string, args ...string) {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = "..", env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// output runs a program of the system, or skips the test.
func output(t *testing.T, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(args[0]); err != nil {
		t.Skipf("no %s: NOT checked; install %s", args[0], args[0])
	}
	var said bytes.Buffer
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(args, " "), err, out, said.String())
	}
	return string(out)
}

// inEvery are files of all packages.
var inEvery = []string{
	"/usr/bin/zitadel-siem", "/etc/zitadel-siem/config.yaml", "/etc/logrotate.d/zitadel-siem",
	"/usr/share/man/man1/zitadel-siem.1.gz", "/usr/share/bash-completion/completions/zitadel-siem",
	"/usr/share/fish/vendor_completions.d/zitadel-siem.fish", "/usr/share/zitadel-siem/detections/brute_force_user.yml",
	"/usr/share/zitadel-siem/dashboards/audit.json", "/usr/share/zitadel-siem/dashboards/saved-objects.ndjson", "/usr/share/zitadel-siem/elasticsearch-index-template.json",
	"/usr/share/doc/zitadel-siem/copyright", "/usr/share/doc/zitadel-siem/NOTICE.gz", "/usr/share/doc/zitadel-siem/examples/splunk.yaml", "/usr/share/doc/zitadel-siem/examples/sidecar/sources.yaml",
}

// license is where packages have the text that must come with the programs. That of
// Debian's own packages is used there, see copyright.
const license = "/usr/share/licenses/zitadel-siem/LICENSE"

func TestPackages_HaveTheirFiles(t *testing.T) {
	systemd := []string{"/usr/lib/systemd/system/zitadel-siem.service", "/usr/lib/zitadel-siem/in_zitadel.so", "/usr/lib/zitadel-siem/out_zitadel.so"}
	for _, c := range []struct {
		packager string
		list     func(t *testing.T, path string) string
		want     []string
	}{
		{"deb", func(t *testing.T, path string) string { return output(t, "dpkg-deb", "--contents", path) }, append(systemd, "/usr/share/zsh/vendor-completions/_zitadel-siem")},
		{"rpm", func(t *testing.T, path string) string { return output(t, "rpm", "-qpl", path) }, append(systemd, "/usr/share/zsh/site-functions/_zitadel-siem", license)},
		{"apk", func(t *testing.T, path string) string {
			return output(t, "tar", "--warning=no-unknown-keyword", "-tzf", path)
		}, []string{"/etc/init.d/zitadel-siem", "/usr/share/zsh/site-functions/_zitadel-siem", license}},
	} {
		t.Run(c.packager, func(t *testing.T) {
			list := c.list(t, packList(t, c.packager))
			for _, want := range append(inEvery, c.want...) {
				if !regexp.MustCompile(`(?m)(^|[./ ])` + regexp.QuoteMeta(strings.TrimPrefix(want, "/")) + `$`).MatchString(list) {
					t.Errorf("%s is missing", want)
				}
			}
			if strings.Contains(list, "testdata") || strings.Contains(list, ".go\n") {
				t.Errorf("it has sources:\n%s", list)
			}
		})
	}
}

// The version of libc that the packages ask for is the one that the plugins need.
func TestPackages_AskForTheLibcOfThePlugins(t *testing.T) {
	config, err := os.ReadFile("nfpm.yaml")
	if err != nil {
		t.Fatal(err)
	}
	asked := regexp.MustCompile(`libc6? >= |libc6 \(>= |glibc >= `).ReplaceAllString(strings.Join(regexp.MustCompile(`g?libc6? \(?>= [0-9.]+`).FindAllString(string(config), -1), "\n"), "")
	versions := strings.Fields(asked)
	if len(versions) != 2 || versions[0] != versions[1] {
		t.Fatalf("nfpm.yaml asks for %q", versions)
	}
	for _, plugin := range []string{"in_zitadel", "out_zitadel"} {
		for _, m := range regexp.MustCompile(`GLIBC_(2\.[0-9]+)`).FindAllStringSubmatch(output(t, "readelf", "-V", "-W", testkit.Plugin(t, plugin)), -1) {
			if older(versions[0], m[1]) {
				t.Errorf("%s needs glibc %s, and the packages ask for %s", plugin, m[1], versions[0])
			}
		}
	}
}

// older says that version a, such as 2.4, is older than b.
func older(a, b string) bool { return len(a) < len(b) || len(a) == len(b) && a < b }

// lintian takes half a minute.
func TestDeb_LintianFindsNothing(t *testing.T) {
	if os.Getenv("PACKAGES_LINT") == "" {
		t.Skip("PACKAGES_LINT is not set: lintian was NOT run; with it, install lintian")
	}
	// The package of the tests is not compressed, see pack.
	if out := output(t, "lintian", "--allow-root", "--fail-on", "error,warning", "--suppress-tags", "uses-no-compression-for-data-tarball", pack(t)); out != "" {
		t.Errorf("lintian says\n%s", out)
	}
}

func TestExamples_NamePluginsWhereThePackagesHaveThem(t *testing.T) {
	pack(t)
	err := filepath.WalkDir(filepath.Join(packed.dir, "built", "package"), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte("./build/")) {
			t.Errorf("%s names a file of the sources", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
