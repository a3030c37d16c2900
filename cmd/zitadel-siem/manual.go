package main

import (
	"io"
	"os"

	"github.com/alecthomas/kong"

	"github.com/zitadel-siem/zitadel-siem/internal/cmdline"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/version"
)

type completionCommand struct {
	Shell string `arg:"" help:"Shell: bash, zsh or fish." enum:"bash,zsh,fish"`
}

func (*completionCommand) Help() string {
	return "The packages install these scripts. Otherwise, for bash: zitadel-siem completion bash >~/.local/share/bash-completion/completions/zitadel-siem. " +
		"For zsh, into a file _zitadel-siem in a directory of fpath. For fish: zitadel-siem completion fish >~/.config/fish/completions/zitadel-siem.fish."
}

func (c *completionCommand) Run(parsed *kong.Context) error {
	described := cmdline.New(parsed.Model, valuesOf)
	script := map[string]func() string{"bash": described.Bash, "zsh": described.Zsh, "fish": described.Fish}[c.Shell]
	_, err := io.WriteString(os.Stdout, script())
	return err
}

// manCommand writes the man page. The build of the packages runs it.
type manCommand struct{}

func (manCommand) Run(parsed *kong.Context) error {
	_, err := io.WriteString(os.Stdout, cmdline.New(parsed.Model, valuesOf).Man(cmdline.Manual{Version: version.Version, Sections: manualSections}))
	return err
}

var manualSections = []cmdline.Section{
	{Title: "ENVIRONMENT", Text: "Each option in the lists above names its variable, such as ZITADEL_URL. A flag wins over its variable. With --config, a variable counts only where the file refers to it as ${NAME}.\n" +
		"\tZITADEL_TOKEN\tThe personal access token. There is no flag for it, because every user of the machine can see command lines.\n" +
		"\tZITADEL_SHARED_KEY\tThe shared key of the receiver.\n" +
		"\tZITADEL_METRICS_LISTEN\tLike --metrics-listen.\n" +
		"\tZITADEL_STATE\tLike --state, the store of several processes. Its URL may have a password here, which it must not on a command line.\n" +
		"\tZITADEL_STATE_LEASE\tLike --state-lease.\n"},
	{Title: "FILES", Text: "\t/etc/zitadel-siem/config.yaml\tThe sources of the service zitadel-siem, as for pull --config.\n" +
		"\t/etc/zitadel-siem/token\tThe token of the service, for root only. systemd gives the service a copy.\n" +
		"\t/var/lib/zitadel-siem\tUp to where events were delivered.\n" +
		"\t/var/log/zitadel-siem/events.jsonl\tThe events of sources without forward.\n" +
		"\t/usr/lib/zitadel-siem\tThe plugins for Fluent Bit.\n" +
		"\t/usr/share/doc/zitadel-siem/examples\tConfigurations for Fluent Bit and for pull --config.\n"},
	{Title: "EXIT STATUS", Text: "\t0\tDone.\n\t1\tIt could not go on. The message says why, and how to fix it.\n" +
		"\t2\tThe command line or the configuration is wrong.\n\t141\tThe reader of standard output went away.\n"},
	{Title: "EXAMPLES", Text: "\tzitadel-siem check --config /etc/zitadel-siem/config.yaml\tSay what is wrong with the configuration, the token or the server. For the file of the service, put CREDENTIALS_DIRECTORY=/etc/zitadel-siem in front.\n" +
		"\tzitadel-siem pull --start 24h --once\tPrint the events of a day.\n" +
		"\tzitadel-siem pull --members --config /etc/zitadel-siem/config.yaml\tPrint which process holds which sources, if several share them.\n"},
	{Title: "SEE ALSO", Text: "journalctl(1), systemctl(1), fluent-bit(1), https://github.com/zitadel-siem/zitadel-siem\n"},
}

// valuesOf says which values an option of the tables may have.
func valuesOf(flag string) cmdline.Hint {
	if flag == "detect" {
		return cmdline.Hint{Values: []string{"on"}, Files: true}
	}
	for _, table := range []config.Options{config.Pull.Options, config.Output.Options, config.Detect.Options, config.Verify.Options, config.Setup.Options} {
		for _, o := range table {
			if o.Flag() != flag {
				continue
			}
			switch o.Kind {
			case config.KindSwitch:
				return cmdline.Hint{Values: []string{"on", "off"}}
			case config.KindFile, config.KindPath:
				return cmdline.Hint{Files: true}
			}
			return cmdline.Hint{Values: o.Values}
		}
	}
	return cmdline.Hint{}
}
