package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/setup"
	"github.com/zitadel-siem/zitadel-siem/internal/setup/scripts"
	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

// setupCommands are what setup can set up. Without a name, it is the target for events.
type setupCommands struct {
	Events    setupCommand        `cmd:"" default:"withargs" help:"Create target, executions and signing key (Actions V2). The default: the word events may be left out."`
	Log       setupLogCommand     `cmd:"" help:"Install the script post_auth_log (Actions V1), which prints logins into ZITADEL's log."`
	WebhookV1 setupWebhookCommand `cmd:"" name:"webhook-v1" help:"Install the script post_auth_webhook (Actions V1), which sends logins to an endpoint."`
}

func (*setupCommands) Help() string {
	return "Without one of the commands below it is setup events: zitadel-siem setup events --help shows the flags, which go without the word events too."
}

func newSetupCommands() setupCommands {
	var c setupCommands
	c.Events.Plugins = newOptionFlags(config.SetupAccess)
	c.Log.Plugins = newOptionFlags(config.SetupAccess)
	c.WebhookV1.Plugins = newOptionFlags(config.SetupAccess)
	return c
}

// scriptFlags are those of both scripts.
type scriptFlags struct {
	Org     string `help:"Ids of the organizations, separated by commas, or all. Default: the organization of the token's user." placeholder:"LIST"`
	DryRun  bool   `help:"Print what would be done, and change nothing."`
	Replace bool   `help:"Also replace the script of an action of this name if it is not ours, or if somebody has edited it. The script of a newer zitadel-siem is never replaced."`
	Remove  bool   `help:"Delete the action, if its script is ours, which takes it out of all flows."`
}

const scriptsHelp = "Both flows (external and internal authentication) get the action under Post Authentication, behind the actions that are there. You can run it again: it keeps what is right, " +
	"and changes no other action. The user of the token needs the role ORG_OWNER in each organization, or IAM_OWNER; --dry-run needs only ORG_OWNER_VIEWER or IAM_OWNER_VIEWER, " +
	"and --org all needs IAM_OWNER or, with --dry-run, IAM_OWNER_VIEWER. Give the token in ZITADEL_TOKEN or in a file. Nobody should edit the flows in the console meanwhile. " +
	"The flows run for logins through Login V1 only."

type setupLogCommand struct {
	scriptFlags
	kong.Plugins
}

func (*setupLogCommand) Help() string {
	return "Installs the action post_auth_log, or brings it up to date. It prints no password, cookie or token. Scripts that do, such as ZITADEL's own example, are named. " + scriptsHelp
}

func (c *setupLogCommand) Run(ctx context.Context, console *terminal.Console) error {
	return c.run(ctx, console, c.Plugins, func(bool) (zitadel.Script, config.Secret, error) {
		return scripts.Log(), "", nil
	}, scripts.LogName)
}

type setupWebhookCommand struct {
	scriptFlags
	Endpoint string        `help:"URL to which the script posts, for example https://siem.example.com:8443/zitadel/post-auth." placeholder:"URL"`
	V1Key    forbiddenFlag `name:"v1-key" hidden:""`
	V1File   string        `name:"v1-key-file" help:"File with the key that the script sends, one in a line; the last one is used. It may be the file in webhook_v1_dir. Or set ZITADEL_V1_KEY." placeholder:"FILE" type:"path" env:"ZITADEL_V1_KEY_FILE"`

	kong.Plugins
}

func (*setupWebhookCommand) Help() string {
	return "Installs the action post_auth_webhook with ENDPOINT and key, or brings it up to date. The login waits for the endpoint, up to 2 s. " +
		"Everybody who may read the organization's actions can read the key in the script. " + scriptsHelp
}

func (c *setupWebhookCommand) Run(ctx context.Context, console *terminal.Console) error {
	return c.run(ctx, console, c.Plugins, func(insecure bool) (zitadel.Script, config.Secret, error) {
		return c.script(console, insecure)
	}, scripts.WebhookName)
}

// keyVariable holds the key where there is no file.
const keyVariable = "ZITADEL_V1_KEY"

func (c *setupWebhookCommand) script(console *terminal.Console, insecure bool) (zitadel.Script, config.Secret, error) {
	endpoint, err := scripts.ParseEndpoint(c.Endpoint, insecure)
	key := config.Secret(strings.TrimSpace(os.Getenv(keyVariable)))
	switch {
	case c.V1File != "" && key != "":
		err = errors.Join(err, fmt.Errorf("both %s and --v1-key-file are set: use one", keyVariable))
	case c.V1File != "":
		var warning string
		var wrong error
		if key, warning, wrong = scripts.ReadKey(c.V1File); warning != "" {
			console.Warn(warning)
		}
		err = errors.Join(err, wrong)
	case key == "":
		err = errors.Join(err, fmt.Errorf("the key is missing: put it into a file and name that with --v1-key-file, or set %s; for example: openssl rand -base64 32", keyVariable))
	}
	if key != "" {
		if wrong := scripts.CheckKey(key); wrong != nil {
			err = errors.Join(err, fmt.Errorf("the key %w", wrong))
		}
	}
	if err != nil {
		return zitadel.Script{}, "", err
	}
	return scripts.Webhook(endpoint, key), key, nil
}

// scriptsPatience is for --org all, which makes several calls for each organization.
const scriptsPatience = 2 * time.Minute

// run installs or removes what make returns.
func (c *scriptFlags) run(ctx context.Context, console *terminal.Console, flags kong.Plugins, make func(insecure bool) (zitadel.Script, config.Secret, error), name string) error {
	if c.Replace && c.Remove {
		return fmt.Errorf("--replace and --remove contradict each other: use one%w", silent{errUsage})
	}
	s, err := parseValues(config.SetupRemove, optionValues(config.SetupAccess, flags), console, config.ParseOptions{})
	if err != nil {
		return err
	}
	script, key := zitadel.Script{Name: name}, config.Secret("")
	if !c.Remove {
		if script, key, err = make(s.Insecure); err != nil {
			return fmt.Errorf("%w%w", err, silent{errUsage})
		}
	}
	client, err := zitadel.New(ctx, s.Settings, zitadel.Options{Log: console.Logger(), TokenName: "ZITADEL_TOKEN", Patience: scriptsPatience})
	if err != nil {
		return err
	}
	defer client.Close()
	client.Hide(key)

	o := scripts.Options{Script: script, Orgs: listOf(c.Org), Replace: c.Replace, DryRun: c.DryRun,
		Say: func(verb setup.Verb, text string) {
			fmt.Fprintf(os.Stdout, "%-6s  %s\n", verb, zitadel.Line(text, maxStep, s.Token.Reveal(), key.Reveal()))
		}}
	if c.Remove {
		return scripts.Remove(ctx, client, o)
	}
	return scripts.Run(ctx, client, o)
}

func listOf(text string) []string {
	return strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ' ' })
}
