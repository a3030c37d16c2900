package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/alecthomas/kong"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/setup"
	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

// setupCommand has flags of its own for what is about the target: a variable
// such as ZITADEL_ENDPOINT may well mean something else.
type setupCommand struct {
	Endpoint string `help:"Where ZITADEL reaches the listen of this program: scheme, host and port, as in https://siem.example.com:8443." placeholder:"URL"`
	Name     string `help:"Name of the target, of its key file, and path of its URL; default zitadel-siem." placeholder:"NAME"`
	Events   string `help:"all, or event types and groups, separated by commas: user is every type that begins with user. Default all." placeholder:"LIST"`
	KeysDir  string `help:"Directory of the key file, listen_keys_dir of the reader." placeholder:"DIR" env:"ZITADEL_LISTEN_KEYS_DIR"`
	DryRun   bool   `help:"Say what would be done, and change nothing."`
	Rotate   bool   `help:"Have ZITADEL sign with a new key, and write that to the end of the key file."`
	Remove   bool   `help:"Take the target out of its executions, and delete it."`

	kong.Plugins
}

func (c *setupCommand) Help() string {
	return "Makes a target for ENDPOINT/NAME that nobody who logs in waits for, has the events sent to it, and writes its signing key to " +
		"KEYS-DIR/NAME, readable to its owner alone. It can be run again: what is right is kept, and what others have set up is never taken away. " +
		"The user of the token needs the role IAM_OWNER, or another one that may write targets and executions; the reader itself goes on with IAM_OWNER_VIEWER. The token comes in ZITADEL_TOKEN, or by a file. " +
		"ZITADEL sends each event at most once: keep pulling beside it."
}

func (c *setupCommand) Run(ctx context.Context, console *terminal.Console) error {
	if c.Rotate && c.Remove {
		return fmt.Errorf("--rotate and --remove contradict each other: give one%w", silent{errUsage})
	}
	values := optionValues(config.SetupAccess, c.Plugins)
	for name, value := range map[string]string{"endpoint": c.Endpoint, "name": c.Name, "events": c.Events, "keys_dir": c.KeysDir} {
		if value != "" {
			values[name] = value
		}
	}
	table := config.Setup
	if c.Remove {
		table = config.SetupRemove
	}
	s, err := parseValues(table, values, console, config.ParseOptions{})
	if err != nil {
		return err
	}
	// There is no flag for the token.
	client, err := zitadel.New(ctx, s.Settings, zitadel.Options{Log: console.Logger(), TokenName: "ZITADEL_TOKEN"})
	if err != nil {
		return err
	}
	defer client.Close()

	o := setup.Options{SetupSettings: s, Rotate: c.Rotate, DryRun: c.DryRun,
		Say: func(verb setup.Verb, text string) {
			fmt.Fprintf(os.Stdout, "%-5s  %s\n", verb, zitadel.Line(text, maxStep, s.Token.Reveal()))
		}}
	if c.Remove {
		return setup.Remove(ctx, client, o)
	}
	err = setup.Run(ctx, client, o)
	if _, wrong := errors.AsType[*setup.EventsError](err); wrong {
		return fmt.Errorf("%w%w", err, silent{errUsage})
	}
	return err
}

// maxStep bounds, in runes, what a step says: other people's executions may be many.
const maxStep = 2000
