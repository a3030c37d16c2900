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
	Endpoint string `help:"URL at which ZITADEL reaches webhook_listen of the reader: scheme, host and port, for example https://siem.example.com:8443." placeholder:"URL"`
	Name     string `help:"Name of the target and its key file, and the path of its URL; default zitadel-siem." placeholder:"NAME"`
	Events   string `help:"all, or event types and groups separated by commas; the group user means every type that begins with user. Default all." placeholder:"LIST"`
	Calls    bool   `help:"Send API calls as well: before and after each call of METHODS. They show who called, from which address, and give events their address. It costs ZITADEL two requests a call."`
	Methods  string `help:"With --calls: writing, or services and methods separated by commas. Default writing: every method that changes something, never one that only reads." placeholder:"LIST"`
	KeysDir  string `help:"Directory of the key file: webhook_keys_dir of the reader." placeholder:"DIR" env:"ZITADEL_WEBHOOK_KEYS_DIR"`
	DryRun   bool   `help:"Print what would be done, and change nothing."`
	Rotate   bool   `help:"Make ZITADEL sign with a new key, and append that key to the key file."`
	Remove   bool   `help:"Remove the target from its executions, and delete it. With --calls: only from those for API calls."`

	kong.Plugins
}

func (c *setupCommand) Help() string {
	return "Creates a target for ENDPOINT/NAME that no login waits for, makes ZITADEL send events to it, and writes its signing key to " +
		"KEYS-DIR/NAME, which only its owner can read. You can run it again: it keeps what is right, and never removes what others have set up. " +
		"The user of the token needs the role IAM_OWNER, or another role that may write targets and executions. The reader needs only IAM_OWNER_VIEWER. Give the token in ZITADEL_TOKEN or in a file. " +
		"ZITADEL sends each event at most once, so keep pulling as well."
}

func (c *setupCommand) Run(ctx context.Context, console *terminal.Console) error {
	if c.Rotate && c.Remove {
		return fmt.Errorf("--rotate and --remove contradict each other: use one%w", silent{errUsage})
	}
	if c.Methods != "" && !c.Calls {
		return fmt.Errorf("--methods has no effect without --calls: add --calls%w", silent{errUsage})
	}
	values := optionValues(config.SetupAccess, c.Plugins)
	for name, value := range map[string]string{"endpoint": c.Endpoint, "name": c.Name, "events": c.Events, "methods": c.Methods, "keys_dir": c.KeysDir} {
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

	o := setup.Options{SetupSettings: s, Rotate: c.Rotate, DryRun: c.DryRun, Calls: c.Calls,
		Say: func(verb setup.Verb, text string) {
			fmt.Fprintf(os.Stdout, "%-5s  %s\n", verb, zitadel.Line(text, maxStep, s.Token.Reveal()))
		}}
	if c.Remove {
		return setup.Remove(ctx, client, o)
	}
	err = setup.Run(ctx, client, o)
	_, wrongEvents := errors.AsType[*setup.EventsError](err)
	_, wrongMethods := errors.AsType[*setup.MethodsError](err)
	if wrongEvents || wrongMethods {
		return fmt.Errorf("%w%w", err, silent{errUsage})
	}
	return err
}

// maxStep bounds, in runes, what a step says: other people's executions may be many.
const maxStep = 2000
