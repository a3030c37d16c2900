package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
)

// Main is the program zitadel-siem-demo. It returns the exit status.
func Main(args []string) int {
	console := terminal.New(os.Stderr, terminal.IsTerminal(os.Stderr))
	var d Demo
	exited := -1
	parser, err := kong.New(&d,
		kong.Name("zitadel-siem-demo"),
		kong.Description("Show audit events and logins flowing."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Exit(func(code int) { exited = code }),
	)
	if err != nil {
		console.Fail(err)
		return 1
	}
	_, err = parser.Parse(args)
	if exited >= 0 { // --help
		return exited
	}
	if err != nil {
		console.Fail(fmt.Errorf("%w (zitadel-siem-demo --help)", err))
		return 2
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	err = d.Run(ctx, console)
	console.Clear()
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrUsage):
		console.Fail(err)
		return 2
	}
	console.Fail(err)
	return 1
}
