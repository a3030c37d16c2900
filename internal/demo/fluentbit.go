package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"go.yaml.in/yaml/v3"

	"github.com/zitadel-siem/zitadel-siem/conf"
	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
)

// fluentBit is Fluent Bit as a pipeline. Its stdout output gives one JSON line for each
// record.
type fluentBit struct {
	program
	config string
}

func newFluentBit(path, pluginDir, dir string, values map[string]string, console *terminal.Console) (*fluentBit, error) {
	config := filepath.Join(dir, "fluent-bit.yaml")
	data, err := fluentBitConfig(pluginDir, dir, values)
	if err != nil {
		return nil, err
	}
	return &fluentBit{config: config, program: program{path: path, console: console,
		shown: regexp.MustCompile(`\] \[(error| warn)\]`), failure: regexp.MustCompile(`\] \[error\]`)}}, os.WriteFile(config, data, 0o600)
}

func (f *fluentBit) run(ctx context.Context, show func([]byte)) error {
	err := f.child(ctx, show, exec.CommandContext(ctx, f.path, "-c", f.config))
	if err == nil && ctx.Err() == nil {
		return errors.New("fluent-bit ended by itself, with exit status 0")
	}
	return err
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
	output := named(c.Pipeline.Outputs, "zitadel")
	output["forward"], output["format"], output["tier"] = "unix:"+socket, values["format"], "noise"
	stdout := named(start.Pipeline.Outputs, "stdout")
	stdout["match"] = "zitadel.*"
	stdout["json_date_key"] = false // records are shown as they are
	c.Pipeline.Outputs = append(c.Pipeline.Outputs, stdout)
	return yaml.Marshal(c)
}
