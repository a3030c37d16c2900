package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/zitadel-siem/zitadel-siem/conf"
	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
)

// fluentBit is a Fluent Bit process as a pipeline. Its stdout output gives one
// JSON line for each record.
type fluentBit struct {
	cmd     *exec.Cmd
	console *terminal.Console
	errors  atomic.Uint64

	mu   sync.Mutex
	tail []string // the last lines of its log, for the case that it fails
}

func newFluentBit(program, pluginDir, dir string, values map[string]string, console *terminal.Console) (*fluentBit, error) {
	path := filepath.Join(dir, "fluent-bit.yaml")
	data, err := fluentBitConfig(pluginDir, dir, values)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return nil, err
	}
	f := &fluentBit{cmd: exec.Command(program, "-c", path), console: console}
	// Ctrl-C is for the demo alone: Fluent Bit ends when the last records have arrived.
	f.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return f, nil
}

// fluentBitConf is the part of a configuration that the demo reads or changes.
type fluentBitConf struct {
	Service  map[string]any `yaml:"service"`
	Plugins  []string       `yaml:"plugins"`
	Pipeline struct {
		Inputs  []map[string]any `yaml:"inputs"`
		Outputs []map[string]any `yaml:"outputs"`
	} `yaml:"pipeline"`
}

func readConf(name string) (c fluentBitConf, err error) {
	data, err := conf.Files.ReadFile(name)
	if err == nil {
		err = yaml.Unmarshal(data, &c)
	}
	if err != nil {
		return c, fmt.Errorf("conf/%s: %w", name, err)
	}
	return c, nil
}

// named returns the one plugin with this name.
func named(list []map[string]any, name string) map[string]any {
	for _, plugin := range list {
		if plugin["name"] == name {
			return plugin
		}
	}
	return map[string]any{}
}

// fluentBitConfig is conf/sources.yaml with the output of conf/fluent-bit.yaml and
// the paths and options of this run. The rest is what users have, except the filter
// that selects ZITADEL's container: here there is only one log.
func fluentBitConfig(pluginDir, dir string, values map[string]string) ([]byte, error) {
	c, err := readConf("sources.yaml")
	if err != nil {
		return nil, err
	}
	start, err := readConf("fluent-bit.yaml")
	if err != nil {
		return nil, err
	}
	if pluginDir, err = filepath.Abs(pluginDir); err != nil {
		return nil, err
	}
	c.Plugins = []string{filepath.Join(pluginDir, inPlugin), filepath.Join(pluginDir, outPlugin)}
	c.Service["storage.path"] = filepath.Join(dir, "storage")
	c.Service["grace"] = 2 // standard output needs no longer

	input := named(c.Pipeline.Inputs, "zitadel")
	delete(input, "token_file")
	for name, value := range values {
		if name == "token" {
			value = "${ZITADEL_TOKEN}" // from the environment, not into a file
		}
		input[name] = value
	}
	socket := filepath.Join(dir, "forward.sock")
	for name, value := range map[string]any{"path": filepath.Join(dir, actionsFile), "db": filepath.Join(dir, "tail.db"), "refresh_interval": 1} {
		named(c.Pipeline.Inputs, "tail")[name] = value
	}
	named(c.Pipeline.Inputs, "forward")["unix_path"] = socket
	named(c.Pipeline.Outputs, "zitadel")["forward"] = "unix:" + socket
	stdout := named(start.Pipeline.Outputs, "stdout")
	stdout["match"] = "zitadel.*"
	c.Pipeline.Outputs = append(c.Pipeline.Outputs, stdout)
	return yaml.Marshal(c)
}

func (f *fluentBit) run(ctx context.Context, show func([]byte)) error {
	stdout, err := f.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	stderr, err := f.cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := f.cmd.Start(); err != nil {
		return err
	}
	stopped := context.AfterFunc(ctx, func() { _ = f.cmd.Process.Signal(syscall.SIGTERM) })
	defer stopped()

	var readers sync.WaitGroup
	readers.Go(func() { f.follow(ctx, stderr) })
	readers.Go(func() { records(stdout, show) })
	killer := context.AfterFunc(ctx, func() {
		time.AfterFunc(killAfter, func() { _ = f.cmd.Process.Kill() })
	})
	defer killer()
	readers.Wait()
	err = f.cmd.Wait()
	if ctx.Err() != nil {
		return nil // we ended it
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		err = errors.New("exit status 0")
	}
	return fmt.Errorf("fluent-bit ended by itself (%w); its last lines:\n  %s", err, strings.Join(f.tail, "\n  "))
}

func (f *fluentBit) failures() uint64 { return f.errors.Load() }

// records reads JSON lines. Fluent Bit prints its banner to standard output too.
func records(r io.Reader, show func([]byte)) {
	lines := bufio.NewReaderSize(r, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 && line[0] == '{' {
			show(line)
		}
		if err != nil {
			return
		}
	}
}

// follow shows the errors of Fluent Bit's log, and its warnings until ctx ends: the
// stop itself causes a warning.
func (f *fluentBit) follow(ctx context.Context, r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := printable(lines.Text())
		f.mu.Lock()
		if f.tail = append(f.tail, line); len(f.tail) > 5 {
			f.tail = f.tail[1:]
		}
		f.mu.Unlock()
		if strings.Contains(line, "] [error]") {
			f.errors.Add(1)
			f.console.Line(line)
		} else if strings.Contains(line, "] [ warn]") && ctx.Err() == nil {
			f.console.Line(line)
		}
	}
	_, _ = io.Copy(io.Discard, r) // a line over the limit must not block Fluent Bit
}
