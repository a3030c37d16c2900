package main

import (
	"io"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
)

func TestSecretsAreNoFlags(t *testing.T) {
	const secret = "s3cr3t-0123456789"
	for _, c := range []struct {
		flags kong.Plugins
		flag  string
		want  []string
	}{
		{newOptionFlags(config.Input), "--token", []string{"ZITADEL_TOKEN ", "--token-file.", "Treat the token "}},
		{newOptionFlags(config.SetupAccess), "--token", []string{"ZITADEL_TOKEN ", "--token-file.", "Treat the token "}},
		{newOptionFlags(config.Output), "--shared-key", []string{"ZITADEL_SHARED_KEY ", "--shared-key-file.", "Treat the shared key "}},
	} {
		var cli struct{ kong.Plugins }
		cli.Plugins = c.flags
		parser, err := kong.New(&cli, kong.Writers(io.Discard, io.Discard), kong.Exit(func(int) {}))
		if err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{c.flag, secret}, {c.flag + "=" + secret}} {
			_, err := parser.Parse(args)
			if err == nil || strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %v", c.flag, err)
				continue
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s: %q is missing in %s", c.flag, part, err)
				}
			}
		}
	}
}

func TestFlagsOfTheOutputAreItsOptions(t *testing.T) {
	t.Setenv("ZITADEL_TAG", "of-the-environment")
	t.Setenv("ZITADEL_KINDS", "all")
	t.Setenv("ZITADEL_URL", "not-of-this-table")
	var cli struct{ kong.Plugins }
	cli.Plugins = newOptionFlags(config.Output)
	parser, err := kong.New(&cli, kong.Exit(func(int) {}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"--tag", "of-the-flag", "--line-keys=log"}); err != nil {
		t.Fatal(err)
	}
	settings, err := settingsOf(config.Output, cli.Plugins, terminal.New(io.Discard, false))
	if err != nil || settings.Tag != "of-the-flag" || len(settings.LineKeys) != 1 || len(settings.Kinds) != 10 {
		t.Errorf("%v %v", settings, err)
	}
}
