// Package check looks at what one configuration needs: options, files, state, the
// server and the receiver. It shows one line for each finding, and no secret.
package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/bounded"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/forward"
	"github.com/zitadel-siem/zitadel-siem/internal/listen"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

// Options say where the configuration is: in the file FluentBit, in the file
// Config, or in Values.
type Options struct {
	FluentBit string             // a Fluent Bit configuration
	Config    string             // a file of sources
	Values    map[string]string  // options by name
	State     config.SharedState // with Values: the store of the states, if there is one
	Offline   bool               // ask no server
}

// ErrFailed means that something failed. The report says what.
var ErrFailed = errors.New("check failed")

// ConfigError is an error of the configuration itself.
type ConfigError struct{ err error }

func (e *ConfigError) Error() string { return e.err.Error() }
func (e *ConfigError) Unwrap() error { return e.err }

// Run writes the report to w.
func Run(ctx context.Context, w io.Writer, o Options) error {
	r := &report{w: w, tokenName: "token"}
	var err error
	switch {
	case o.FluentBit != "":
		err = checkFluentBit(ctx, r, o.FluentBit, o.Offline)
	case o.Config != "":
		err = checkSources(ctx, r, o.Config, o.Offline)
	default:
		r.tokenName = "ZITADEL_TOKEN" // there is no such flag
		checkValues(ctx, r, o)
	}
	if err != nil {
		return err
	}
	return r.end()
}

// checkSources checks a file of sources.
func checkSources(ctx context.Context, r *report, path string, offline bool) error {
	file, err := config.ReadSources(path, os.LookupEnv, config.ParseOptions{})
	if err != nil {
		return &ConfigError{err}
	}
	for _, w := range file.Warnings {
		r.say(warns, "config", w, "")
	}
	state := checkState
	if file.State.On() {
		state = checkStore(ctx, r, file.State, file.List, offline)
	}
	for _, s := range file.List {
		checkSource(ctx, r, s, state, offline)
	}
	return nil
}

// checkValues checks the options of flags and environment.
func checkValues(ctx context.Context, r *report, o Options) {
	settings, warnings, problems := config.Pull.Check(o.Values, config.ParseOptions{NeedState: o.Values["forward"] != "", Shared: o.State.On()})
	for _, w := range warnings {
		r.problem(warns, w)
	}
	for _, p := range problems {
		r.wrong = true
		r.problem(fails, p)
	}
	if len(problems) > 0 {
		r.say(skips, "server", "not asked, because the configuration must be fixed first", "")
		return
	}
	state := checkState
	if o.State.On() {
		state = checkStore(ctx, r, o.State, []config.PullSettings{settings}, o.Offline)
	}
	checkSource(ctx, r, settings, state, o.Offline)
}

// checkSource looks at the state, and asks the server and the receiver.
func checkSource(ctx context.Context, r *report, s config.PullSettings, state func(*report, config.Settings), offline bool) {
	r.hide(s.Settings)
	r.secrets = append(r.secrets, s.Out.SharedKey.Reveal())
	r.say(passes, "options", s.String(), "")
	state(r, s.Settings)
	checkListen(r, s.Settings)
	checkFormat(r, "", s.Format)
	if !offline {
		checkServer(ctx, r, s.Settings)
		checkForward(ctx, r, s.Out)
	}
}

// checkListen reads the files that the endpoint for webhooks needs. It does not
// bind the address: a running reader may have it.
func checkListen(r *report, s config.Settings) {
	if s.Listen.Address == "" {
		return
	}
	if _, err := listen.Open(s, quiet()); err != nil {
		r.wrong = true
		r.say(fails, "webhooks", err.Error(), "")
		return
	}
	r.say(passes, "webhooks", "all files for webhooks at "+s.Listen.Address+" can be read", "")
}

// checkForward connects to the receiver and sends no record.
func checkForward(ctx context.Context, r *report, s config.OutputSettings) {
	if s.Forward == (config.Forward{}) {
		return
	}
	sender, err := forward.New(s)
	if err == nil {
		err = sender.Greet(ctx)
		_ = sender.Close()
	}
	if err != nil {
		r.say(fails, "forward", err.Error(), "")
		return
	}
	way := "unencrypted"
	if s.Forward.TLS {
		way = "over TLS"
	}
	if s.SharedKey != "" {
		way += ", and the shared keys are equal"
	}
	r.say(passes, "forward", s.Forward.String()+" was reached "+way, "")
}

// verdict is the first word of a line.
type verdict string

const (
	passes verdict = "ok"
	warns  verdict = "warn"
	fails  verdict = "FAIL"
	skips  verdict = "skip"
)

// report writes one line for each finding, and counts them.
type report struct {
	w      io.Writer
	counts map[verdict]int
	wrong  bool // the configuration itself

	tokenName string   // what the user calls the option token
	secrets   []string // no line shows them
}

// maxLine bounds a line in runes: a server may have written a part of it.
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

// secretIn returns the secret in a file; false if the file cannot be read.
func secretIn(path string) (string, bool) {
	data, _, err := bounded.ReadFile(path, 64<<10)
	return strings.TrimSpace(string(data)), err == nil
}

// plain makes text safe to show. Certificates, redirects and answers come from others:
// they may repeat a token, or try to forge a line.
func (r *report) plain(text string) string { return zitadel.Line(text, maxLine, r.secrets...) }

func (r *report) say(v verdict, name, text, fix string) {
	if r.counts == nil {
		r.counts = map[verdict]int{}
	}
	r.counts[v]++
	fmt.Fprintf(r.w, "%-4s  %-9s  %s\n", v, name, r.plain(text))
	if fix != "" {
		fmt.Fprintf(r.w, "      %-9s  -> %s\n", "", r.plain(fix))
	}
}

func (r *report) problem(v verdict, p config.Problem) {
	text := p
	text.Fix = ""
	r.say(v, "options", text.String(), p.Fix)
}

// end writes the totals. Its error decides the exit status and is not printed.
func (r *report) end() error {
	sum := fmt.Sprintf("%d ok, %d to look at, %d failed", r.counts[passes], r.counts[warns], r.counts[fails])
	if n := r.counts[skips]; n > 0 {
		sum += fmt.Sprintf(", %d not tried", n)
	}
	fmt.Fprintln(r.w, "\n"+sum)
	switch {
	case r.counts[fails] == 0:
		return nil
	case r.wrong:
		return &ConfigError{ErrFailed}
	}
	return ErrFailed
}

// quiet is the log of a client whose errors are shown as findings.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
