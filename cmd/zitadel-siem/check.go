package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/forward"
	"github.com/zitadel-siem/zitadel-siem/internal/listen"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

type checkCommand struct {
	FluentBit string `help:"Check the zitadel inputs and outputs of this Fluent Bit configuration, and the settings around them that lose data." placeholder:"CONFIG" type:"path"`
	Config    string `help:"Check the sources of this file, as pull --config reads it." placeholder:"FILE" type:"path"`
	Offline   bool   `help:"Look at the configuration alone, ask no server."`

	kong.Plugins
}

func (c *checkCommand) Help() string {
	return "Every line says ok, warn or FAIL, and what to do. The exit status is 1 when something fails, and 2 when " +
		"the configuration itself is wrong. No secret is shown."
}

func (c *checkCommand) Run(ctx context.Context) error {
	r := &report{w: os.Stdout, tokenName: "ZITADEL_TOKEN"}
	switch {
	case c.FluentBit != "" && c.Config != "":
		return fmt.Errorf("--fluent-bit and --config contradict each other: give one%w", silent{errUsage})
	case c.FluentBit != "":
		r.tokenName = "token"
		if err := checkFluentBit(ctx, r, c.FluentBit, c.Offline); err != nil {
			return err
		}
	case c.Config != "":
		r.tokenName = "token"
		if err := checkSources(ctx, r, c.Config, c.Offline); err != nil {
			return err
		}
	default:
		checkValues(ctx, r, optionValues(config.Pull, c.Plugins), c.Offline)
	}
	return r.end()
}

// checkSources checks a file of sources.
func checkSources(ctx context.Context, r *report, path string, offline bool) error {
	file, err := config.ReadSources(path, os.LookupEnv, config.ParseOptions{})
	if err != nil {
		return fmt.Errorf("%w%w", err, silent{errUsage})
	}
	for _, w := range file.Warnings {
		r.say(warns, "config", w, "")
	}
	for _, s := range file.List {
		checkSource(ctx, r, s, offline)
	}
	return nil
}

// checkValues checks options as flags and environment gave them.
func checkValues(ctx context.Context, r *report, values map[string]string, offline bool) {
	settings, warnings, problems := config.Pull.Check(values, config.ParseOptions{NeedState: values["forward"] != ""})
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
	checkSource(ctx, r, settings, offline)
}

// checkSource looks at the state, and asks both sides.
func checkSource(ctx context.Context, r *report, s config.PullSettings, offline bool) {
	r.hide(s.Settings)
	r.secrets = append(r.secrets, s.Out.SharedKey.Reveal())
	r.say(passes, "options", s.String(), "")
	checkState(r, s.Settings)
	checkListen(r, s.Settings)
	if !offline {
		checkServer(ctx, r, s.Settings)
		checkForward(ctx, r, s.Out)
	}
}

// checkListen reads what the endpoint for webhooks needs. Its address may be
// that of a reader that is running, and is not tried.
func checkListen(r *report, s config.Settings) {
	if s.Listen.Address == "" {
		return
	}
	if _, err := listen.Open(s, quiet()); err != nil {
		r.wrong = true
		r.say(fails, "listen", err.Error(), "")
		return
	}
	r.say(passes, "listen", "the files that webhooks at "+s.Listen.Address+" need can be read", "")
}

// checkForward greets the other side, and sends nothing.
func checkForward(ctx context.Context, r *report, s config.OutputSettings) {
	if s.Forward == (config.Forward{}) {
		return
	}
	sender, err := forward.New(forward.OptionsOf(s))
	if err == nil {
		err = sender.Greet(ctx)
		_ = sender.Close()
	}
	if err != nil {
		r.say(fails, "forward", err.Error(), "")
		return
	}
	way := "in clear"
	if s.Forward.TLS {
		way = "by TLS"
	}
	if s.SharedKey != "" {
		way += ", the shared key is the same"
	}
	r.say(passes, "forward", s.Forward.String()+" can be reached "+way, "")
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

	tokenName string   // what the user calls the option token
	secrets   []string // what no line shows
}

// maxLine bounds, in runes, what a line repeats: a server has its part in it.
const maxLine = 500

// hide keeps the secrets of the settings out of every line to come.
func (r *report) hide(s config.Settings) {
	r.secrets = append(r.secrets, s.Token.Reveal())
	for _, path := range []string{s.TokenFile, s.ClientSecretFile} {
		if secret, ok := secretIn(path); ok {
			r.secrets = append(r.secrets, secret)
		}
	}
}

// secretIn is the secret in a file; a file that is no such file has none.
func secretIn(path string) (string, bool) {
	if info, err := os.Stat(path); path == "" || err != nil || !info.Mode().IsRegular() || info.Size() > 64<<10 {
		return "", false
	}
	data, err := os.ReadFile(path)
	return strings.TrimSpace(string(data)), err == nil
}

// plain is text as it can be shown: certificates, redirects and answers are
// written by others, who may repeat a token or forge a line.
func (r *report) plain(text string) string { return zitadel.Line(text, maxLine, r.secrets...) }

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
	fmt.Fprintf(r.w, "%-4s  %-9s  %s\n", v, name, r.plain(text))
	if mend != "" {
		fmt.Fprintf(r.w, "      %-9s  -> %s\n", "", r.plain(mend))
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
