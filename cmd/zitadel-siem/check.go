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
	err := check.Run(ctx, os.Stdout, check.Options{
		FluentBit: c.FluentBit, Config: c.Config, Values: optionValues(config.Pull, c.Plugins), Offline: c.Offline,
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
