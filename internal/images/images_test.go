//go:build images

package images

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// engine builds images with podman, in a storage of its own. Isolation chroot needs no
// privilege to make namespaces, and steps use the network of this machine.
type engine struct {
	t    *testing.T
	dir  string // of the storage
	root string // of the sources
}

func newEngine(t *testing.T) *engine {
	if os.Geteuid() != 0 {
		t.Skip("not root: NO image was built; podman build --isolation chroot and mmdebstrap need root here")
	}
	for _, tool := range []string{"podman", "mmdebstrap", "tar", "ldd"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no %s: NO image was built; apt-get install podman mmdebstrap", tool)
		}
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	// Not t.TempDir: on a tmpfs, layers would fill the memory. It cannot remove what is
	// mounted, either.
	dir, err := os.MkdirTemp(filepath.Join(root, "build"), "images")
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{t: t, dir: dir, root: root}
	t.Cleanup(func() {
		e.command("system", "reset", "--force").Run()
		exec.Command("umount", "-R", filepath.Join(dir, "root", "overlay")).Run()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return e
}

func (e *engine) command(args ...string) *exec.Cmd {
	args = append([]string{"--root", filepath.Join(e.dir, "root"), "--runroot", filepath.Join(e.dir, "run")}, args...)
	cmd := exec.CommandContext(e.t.Context(), "podman", args...)
	cmd.Dir = e.root
	if e.t.Context().Err() != nil { // in the cleanup
		cmd = exec.Command("podman", args...)
	}
	return cmd
}

// podman returns what the command prints.
func (e *engine) podman(args ...string) string {
	e.t.Helper()
	out, err := e.command(args...).CombinedOutput()
	if err != nil {
		e.t.Fatalf("podman %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// build builds a Dockerfile and returns what its steps print.
func (e *engine) build(image, dockerfile string, args ...string) string {
	e.t.Helper()
	args = append([]string{"build", "--isolation", "chroot", "--no-cache", "--pull=never", "-t", image, "-f", dockerfile}, args...)
	return e.podman(append(args, e.root)...)
}

// run builds an image of the steps on the image, which is the only way to run something in
// it: chroot is no container.
func (e *engine) run(image string, steps ...string) string {
	e.t.Helper()
	file := filepath.Join(e.dir, "Dockerfile.run")
	text := "FROM " + image + "\n" + strings.Join(steps, "\n") + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		e.t.Fatal(err)
	}
	return e.build("localhost/run", file)
}

// importTar makes a base image of what produce writes.
func (e *engine) importTar(image string, produce *exec.Cmd, changes ...string) {
	e.t.Helper()
	file := filepath.Join(e.dir, "base.tar")
	f, err := os.Create(file)
	if err != nil {
		e.t.Fatal(err)
	}
	var stderr bytes.Buffer
	produce.Stdout, produce.Stderr = f, &stderr
	if err := produce.Run(); err != nil {
		e.t.Fatalf("%s: %v\n%s", produce, err, stderr.Bytes())
	}
	f.Close()
	args := []string{"import"}
	for _, change := range changes {
		args = append(args, "--change", change)
	}
	e.podman(append(args, file, image)...)
	os.Remove(file)
}

const goImage = "localhost/golang"

// debianVariable names a tar that the same mmdebstrap has made before, to save the minutes.
const debianVariable = "IMAGES_DEBIAN"

// golang makes an image that has what golang:1.26-bookworm has. Go and its caches are this
// machine's, so that nothing is downloaded or compiled twice.
func (e *engine) golang() (mounts []string) {
	e.t.Helper()
	release := exec.Command("sh", "-c", `. /etc/os-release && [ "$ID" = debian ] && echo "$VERSION_CODENAME"`)
	name, err := release.Output()
	if err != nil {
		e.t.Skip("not Debian: the image to build in was NOT made; mmdebstrap takes the packages of this machine's release")
	}
	debian := exec.Command("mmdebstrap", "--quiet", "--variant=minbase", "--include=gcc,libc6-dev,binutils,git,ca-certificates", strings.TrimSpace(string(name)), "-")
	if before := os.Getenv(debianVariable); before != "" {
		debian = exec.Command("cat", before)
	}
	e.importTar(goImage, debian, "ENV GOPATH=/go", "ENV GOCACHE=/go/cache", "ENV GOPROXY=off", "ENV GOTOOLCHAIN=local")
	for variable, at := range map[string]string{"GOROOT": "/opt/go:ro", "GOMODCACHE": "/go/pkg/mod:ro", "GOCACHE": "/go/cache"} {
		out, err := exec.Command("go", "env", variable).Output()
		if err != nil {
			e.t.Fatal(err)
		}
		mounts = append(mounts, "-v", strings.TrimSpace(string(out))+":"+at)
	}
	return append(mounts, "--build-arg", "GO_IMAGE="+goImage, "--build-arg", "VERSION=v0.0.0-test")
}

// Each image is built from its Dockerfile as it is, and its program runs in it.
func TestImages_AreBuiltAndWhatIsInThemRuns(t *testing.T) {
	e := newEngine(t)
	args := e.golang()

	t.Run("Dockerfile", func(t *testing.T) {
		e := &engine{t: t, dir: e.dir, root: e.root}
		e.build("localhost/zitadel-siem", "Dockerfile", args...)
		if user := e.podman("image", "inspect", "--format", "{{.User}}", "localhost/zitadel-siem"); strings.TrimSpace(user) != "65532:65532" {
			t.Errorf("the user is %q", user)
		}
		srv := zitadeltest.ServeRecorded(t, zitadeltest.Options{})
		out := e.run("localhost/zitadel-siem", "ENV ZITADEL_TOKEN="+srv.Token(), `RUN ["/usr/bin/zitadel-siem", "version"]`,
			fmt.Sprintf(`RUN ["/usr/bin/zitadel-siem", "pull", "--once", "--url=%s", "--settle=0s", "--state-path=/var/lib/zitadel-siem/state"]`, srv.URL()))
		version := "zitadel-siem v0.0.0-test "
		if info, err := os.Stat(filepath.Join(e.root, ".git")); err == nil && info.IsDir() { // no worktree
			version += "(commit "
		}
		if !strings.Contains(out, version) {
			t.Errorf("no version in:\n%.2000s", out)
		}
		if n := strings.Count(out, `"event":{`); n < srv.Store().Len() {
			t.Errorf("%d events, want %d; the end:\n%s", n, srv.Store().Len(), tail(out))
		}
	})

	t.Run("Dockerfile.fluent-bit", func(t *testing.T) {
		e := &engine{t: t, dir: e.dir, root: e.root}
		e.fluentBit()
		e.build("localhost/zitadel-siem-fluent-bit", "Dockerfile.fluent-bit", append(args, "--build-arg", "FLUENT_BIT_IMAGE="+fluentBitImage)...)
		srv := zitadeltest.ServeRecorded(t, zitadeltest.Options{})
		// The output exit ends Fluent Bit after 8 s, with a flush, which a heartbeat brings.
		out := e.run("localhost/zitadel-siem-fluent-bit", fmt.Sprintf(`RUN ["/fluent-bit/bin/fluent-bit", "-q", "-e", "/usr/lib/zitadel-siem/in_zitadel.so", "-e", "/usr/lib/zitadel-siem/out_zitadel.so", `+
			`"-i", "zitadel", "-p", "url=%s", "-p", "token=%s", "-p", "settle=0s", "-p", "heartbeat=1s", "-p", "state_path=/var/lib/fluent-bit/state", "-o", "stdout", "-m", "*", "-p", "format=json_lines", "-o", "exit", "-m", "*", "-p", "time_count=8", "-f", "1"]`, srv.URL(), srv.Token()))
		if n := strings.Count(out, `"event":{`); n < srv.Store().Len() {
			t.Errorf("%d events, want %d; the end:\n%s", n, srv.Store().Len(), tail(out))
		}
	})
}

const fluentBitImage = "localhost/fluent-bit"

// fluentBit makes a base image as the official one is: the program, its libraries, and no
// shell.
func (e *engine) fluentBit() {
	e.t.Helper()
	program := testkit.FindFluentBit()
	if program == "" {
		e.t.Skip("no Fluent Bit on PATH and FLUENT_BIT is not set: Dockerfile.fluent-bit was NOT built")
	}
	e.importTar(fluentBitImage, exec.Command("sh", "-c", `set -e
program=$(readlink -f "$1")
libraries=$(ldd "$program" | grep -o '/[^ ]*' | sort -u)
exec tar -c --dereference --absolute-names --transform "s,^$program\$,/fluent-bit/bin/fluent-bit," "$program" $libraries`, "sh", program))
}

func tail(s string) string { return s[max(0, len(s)-3000):] }
