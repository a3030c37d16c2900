package plugintest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/leaktest"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// FluentBit is a running Fluent Bit with plugins.
type FluentBit struct {
	*testkit.Process
	Dir string // ${DIR} of its configuration
	Log *testkit.Text

	t    *testing.T
	args []string
	env  []string
}

// StartFluentBit starts it with a configuration of testdata, or at an absolute path, and
// more variables in its environment, each "name=value".
func StartFluentBit(t *testing.T, config string, env []string, plugins ...string) *FluentBit {
	t.Helper()
	f := &FluentBit{t: t, args: []string{testkit.FluentBit(t)}, Dir: t.TempDir(), Log: &testkit.Text{}}
	for _, name := range plugins {
		f.args = append(f.args, "-e", testkit.Plugin(t, name))
	}
	if !filepath.IsAbs(config) {
		config = filepath.Join("testdata", config)
	}
	f.args = append(f.args, "-c", config)
	f.env = append(append(os.Environ(), "DIR="+f.Dir), env...)
	f.Start()
	return f
}

// Start starts it again.
func (f *FluentBit) Start() {
	f.t.Helper()
	cmd := exec.Command(f.args[0], f.args[1:]...)
	cmd.Env = f.env
	f.Process = testkit.Start(f.t, cmd, f.Log)
}

// Usage is what its process uses.
func (f *FluentBit) Usage() leaktest.Usage { return leaktest.Of(f.t, f.Pid()) }

// CommandLine is its command line as ps shows it.
func (f *FluentBit) CommandLine() []byte { return leaktest.CommandLine(f.t, f.Pid()) }

// Lines returns the whole lines of an output file.
func (f *FluentBit) Lines(file string) (lines []string) {
	f.t.Helper()
	b, err := os.ReadFile(filepath.Join(f.Dir, file))
	if err != nil && !os.IsNotExist(err) {
		f.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if strings.HasSuffix(line, "\n") { // otherwise it is being written
			lines = append(lines, line)
		}
	}
	return lines
}
