// zitadel-siem pulls ZITADEL's audit events and parses its log without Fluent Bit. It
// also checks a setup and says what is wrong with it.
//
// Exit status: 0 success; 1 it could not continue, and the message says why and how
// to fix it, or verify found differences; 2 the command line or the configuration is
// wrong, or nothing could be verified; 141 the reader of standard output is gone.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/coreos/go-systemd/v22/journal"

	// Mozilla's roots, for a system that has none: an image with nothing but this program.
	_ "golang.org/x/crypto/x509roots/fallback"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
	"github.com/zitadel-siem/zitadel-siem/internal/version"
)

const (
	exitFailed = 1
	exitUsage  = 2
	exitPipe   = 128 + int(syscall.SIGPIPE) // what a shell reports for it
)

// endWithin limits a clean end: a reader of standard output that is stuck must not
// keep the process alive.
const endWithin = 10 * time.Second

// errUsage marks an error in the command line or the configuration.
var errUsage = errors.New("usage")

// errReported ends a command that has printed its error itself.
var errReported = errors.New("reported")

type commands struct {
	Pull    pullCommand    `cmd:"" aliases:"listen" help:"Print audit events as JSON lines on standard output."`
	Parse   parseCommand   `cmd:"" help:"Turn lines of ZITADEL's log (actions, their runs, requests) into records."`
	Detect  detectCommand  `cmd:"" help:"Evaluate Sigma rules on records, and print alerts."`
	Verify  verifyCommand  `cmd:"" help:"Compare a SIEM's copy with ZITADEL: what is missing, foreign, doubled or altered."`
	Check   checkCommand   `cmd:"" help:"Check URL, TLS, token, role, clock, retention, state, the files for webhooks, and scripts in ZITADEL that print passwords."`
	Setup   setupCommands  `cmd:"" help:"Set ZITADEL up: the target for events (the default), or scripts that report logins (setup log, setup webhook-v1)."`
	State   stateCommands  `cmd:"" help:"Move states between files and a store (state import, state export)."`
	Explain explainCommand `cmd:"" help:"Show what an event type becomes in each format."`
	Version versionCommand `cmd:"" help:"Print the version."`

	Completion completionCommand `cmd:"" help:"Print the script that completes commands, flags and values in a shell."`
	Man        manCommand        `cmd:"" hidden:"" help:"Print the man page."`

	PrintVersion kong.VersionFlag `name:"version" help:"Print the version."`
}

type versionCommand struct{}

func (versionCommand) Run() error {
	_, err := fmt.Println(version.Line())
	return err
}

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	// Little memory is worth more than the last tenth of speed: a backfill stays
	// below 64 MiB (BenchmarkPull).
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(60)
	}
	// A write to a closed pipe must return an error and not end the process.
	signal.Ignore(syscall.SIGPIPE)

	console := terminal.New(os.Stderr, terminal.IsTerminal(os.Stderr))
	console.Journal, _ = journal.StderrIsJournalStream()
	var cli commands
	cli.Pull.Plugins = newOptionFlags(config.Pull)
	cli.Parse.Plugins = newOptionFlags(config.Output)
	cli.Detect.Plugins = newOptionFlags(config.Detect)
	cli.Verify.Plugins = newOptionFlags(config.Verify)
	cli.Check.Plugins = newOptionFlags(config.Pull)
	cli.Setup = newSetupCommands()
	exited := -1
	command, err := kong.New(&cli,
		kong.Name("zitadel-siem"),
		kong.Description("ZITADEL's audit events for your SIEM: every event at least once, with a stable event.id."),
		kong.Vars{"version": version.Line()},
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Exit(func(code int) { exited = code }),
	)
	if err != nil {
		console.Fail(err)
		return exitFailed
	}
	parsed, err := command.Parse(args)
	if exited >= 0 { // --help
		return exited
	}
	if err != nil {
		help := "zitadel-siem --help"
		if len(args) > 0 && args[0] == "demo" {
			help = "the demo is a program of its own: make run, or build/zitadel-siem-demo"
		}
		console.Fail(fmt.Errorf("%w (%s)", unknownFlag(missingValue(err)), help))
		return exitUsage
	}

	ctx, stop := signalContext(console)
	defer stop()
	parsed.BindTo(ctx, (*context.Context)(nil))
	err = parsed.Run(console)
	console.Clear()
	switch {
	case err == nil:
		return 0
	case errors.Is(err, syscall.EPIPE):
		return exitPipe
	case errors.Is(err, errReported):
	default:
		console.Fail(err)
	}
	if errors.Is(err, errUsage) {
		return exitUsage
	}
	return exitFailed
}

// missingValue says what to write after a flag that came without its value. All options
// of the tables take one, switches included (--learn=on).
func missingValue(err error) error {
	flag, expected, found := strings.Cut(err.Error(), ": expected ")
	if !found || !strings.HasSuffix(expected, ` value but got "EOL" (<EOL>)`) {
		return err
	}
	return fmt.Errorf("%s needs a value: write %s=VALUE, or %s=on for a switch", flag, flag, flag)
}

// unknownFlag adds the flag that another name for an option means, such as
// --webhook-listen for --listen. kong itself finds only names that are spelt nearly right.
func unknownFlag(err error) error {
	flag, found := strings.CutPrefix(err.Error(), "unknown flag --")
	if !found {
		return err
	}
	meant := config.Option{Name: config.Pull.Meant(flag)}
	if meant.Name == "" || meant.Flag() == flag { // an option of pull alone has its right name
		return err
	}
	return fmt.Errorf("%w, did you mean %q?", err, "--"+meant.Flag())
}

// signalContext ends at the first Ctrl-C or SIGTERM. A second one exits at once,
// and so does a clean end that takes too long.
func signalContext(console *terminal.Console) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		if _, ok := <-signals; !ok {
			return
		}
		cancel()
		select {
		case _, ok := <-signals:
			if !ok {
				return
			}
		case <-time.After(endWithin):
			console.Fail(fmt.Errorf("no clean end within %s, exiting; what was not written comes again with a state (pull --state-path), and is lost without one", endWithin))
		}
		os.Exit(exitFailed)
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel()
	}
}
