package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/alecthomas/kong"

	"github.com/zitadel-siem/zitadel-siem/internal/check"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

type checkCommand struct {
	FluentBit string `help:"Check the zitadel inputs and outputs of this Fluent Bit configuration, and settings around them that lose data." placeholder:"CONFIG" type:"path"`
	Config    string `help:"Check the sources of this file (as for pull --config)." placeholder:"FILE" type:"path"`
	State     string `help:"Check the state in this store (as for pull --state)." placeholder:"URL"`
	Offline   bool   `help:"Check the configuration only; contact no server."`

	kong.Plugins
}

func (c *checkCommand) Help() string {
	return "Every line begins with ok, warn, FAIL or skip, and says what to do. The exit status is 1 if something fails, and 2 if " +
		"the configuration itself is wrong. No secret is shown."
}

func (c *checkCommand) Run(ctx context.Context) error {
	if c.FluentBit != "" && c.Config != "" {
		return fmt.Errorf("--fluent-bit and --config contradict each other: use one%w", silent{errUsage})
	}
	state, err := c.sharedState()
	if err != nil {
		return err
	}
	err = check.Run(ctx, os.Stdout, check.Options{
		FluentBit: c.FluentBit, Config: c.Config, Values: optionValues(config.Pull, c.Plugins), State: state, Offline: c.Offline,
	})
	_, wrong := errors.AsType[*check.ConfigError](err)
	if errors.Is(err, check.ErrFailed) {
		err = errReported // the report says it
	}
	if wrong {
		return fmt.Errorf("%w%w", err, silent{errUsage})
	}
	return err
}

// sharedState is that of flags and variables. A file has its own.
func (c *checkCommand) sharedState() (config.SharedState, error) {
	switch {
	case c.FluentBit != "" && c.State != "":
		return config.SharedState{}, fmt.Errorf("--state has no effect with --fluent-bit, whose inputs have their states in files: remove it%w", silent{errUsage})
	case c.FluentBit != "":
		return config.SharedState{}, nil
	case c.Config != "":
		return config.SharedState{}, notBesideFile(c.State, "")
	}
	return sharedState(c.State, "")
}
