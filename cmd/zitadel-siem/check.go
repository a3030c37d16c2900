package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/alecthomas/kong"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

type checkCommand struct {
	FluentBit string `help:"Check the zitadel inputs of this Fluent Bit configuration, and the settings around them that lose data." placeholder:"CONFIG" type:"existingfile"`
	Offline   bool   `help:"Look at the configuration alone, ask no server."`

	kong.Plugins
}

func (c *checkCommand) Help() string {
	return "Every line says ok, warn or FAIL, and what to do. The exit status is 1 when something fails, and 2 when " +
		"the configuration itself is wrong. No secret is shown."
}

func (c *checkCommand) Run(ctx context.Context) error {
	r := &report{w: os.Stdout}
	if c.FluentBit != "" {
		if err := checkFluentBit(ctx, r, c.FluentBit, c.Offline); err != nil {
			return err
		}
	} else {
		checkValues(ctx, r, optionValues(c.Plugins), c.Offline)
	}
	return r.end()
}

// checkValues checks options as flags and environment gave them.
func checkValues(ctx context.Context, r *report, values map[string]string, offline bool) {
	settings, warnings, problems := config.Check(values, config.ParseOptions{})
	for _, w := range warnings {
		r.problem(warns, w)
	}
	for _, p := range problems {
		r.wrong = true
		r.problem(fails, p)
	}
	if len(problems) > 0 {
		r.say(skips, "server", "not asked: the configuration is to be mended first", "")
		return
	}
	r.say(passes, "options", settings.String(), "")
	checkState(r, settings)
	if !offline {
		checkServer(ctx, r, settings)
	}
}

// verdict is the first word of a line.
type verdict string

const (
	passes verdict = "ok"
	warns  verdict = "warn"
	fails  verdict = "FAIL"
	skips  verdict = "skip"
)

// report writes one line for each finding and keeps the count.
type report struct {
	w      io.Writer
	counts [4]int
	wrong  bool // the configuration itself
}

func (r *report) say(v verdict, name, text, mend string) {
	switch v {
	case passes:
		r.counts[0]++
	case warns:
		r.counts[1]++
	case fails:
		r.counts[2]++
	case skips:
		r.counts[3]++
	}
	fmt.Fprintf(r.w, "%-4s  %-9s  %s\n", v, name, text)
	if mend != "" {
		fmt.Fprintf(r.w, "      %-9s  -> %s\n", "", mend)
	}
}

func (r *report) problem(v verdict, p config.Problem) {
	mend := p.Mend
	p.Mend = ""
	r.say(v, "options", p.String(), mend)
}

// end writes the sum; its error is for the exit status alone.
func (r *report) end() error {
	passed, warned, failed, skipped := r.counts[0], r.counts[1], r.counts[2], r.counts[3]
	sum := fmt.Sprintf("%d ok, %d to look at, %d failed", passed, warned, failed)
	if skipped > 0 {
		sum += fmt.Sprintf(", %d not tried", skipped)
	}
	fmt.Fprintln(r.w, "\n"+sum)
	switch {
	case failed == 0:
		return nil
	case r.wrong:
		return fmt.Errorf("%w%w", errReported, silent{errUsage})
	}
	return errReported
}

// quiet is for a client whose errors are shown as findings.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
