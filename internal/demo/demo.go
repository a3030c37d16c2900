// Package demo shows records flowing through the real pipeline, from a fake ZITADEL
// server or from a real instance, and counts what arrives.
package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
)

// Demo is one run. Without ZITADEL_URL it starts a fake ZITADEL server; every
// option of the input plugin can be given as a variable.
type Demo struct {
	For     time.Duration `help:"End after this time; without it, at Ctrl-C." env:"DEMO_FOR" placeholder:"10s"`
	Sidecar bool          `help:"Use zitadel-siem, even if there is a Fluent Bit."`
	Plugins string        `help:"Directory of in_zitadel.so and out_zitadel.so, for Fluent Bit; default: the directory of this program." placeholder:"DIR" type:"path"`
	Program string        `help:"The zitadel-siem to run; default: the one in the directory of this program." placeholder:"FILE" type:"path"`
	Rate    float64       `help:"New transactions per second of the fake server." default:"5"`
}

// Help is shown by --help.
func (d *Demo) Help() string {
	return "Without ZITADEL_URL a fake ZITADEL server is started on loopback. It serves 2,881 events that a real ZITADEL wrote, and adds " +
		"new ones; logins run its actions, which write to a log. The real pipeline reads both: Fluent Bit ($FLUENT_BIT, or fluent-bit on " +
		"PATH) with the built plugins and conf/sources.yaml, otherwise zitadel-siem pull and parse. With ZITADEL_URL and ZITADEL_TOKEN " +
		"the events are those of that instance. Each line says when, with which outcome, what, who, to whom, and from where. With ZITADEL_FORMAT " +
		"(raw, ecs, ocsf, cef, leef) the records are shown in that format, as they are."
}

// ErrUsage marks an error of the command line.
var ErrUsage = errors.New("usage")

// catchUpWithin is how long the end waits for the last events of the fake server.
// settle, one poll, one callback and one flush take about 3 s.
const catchUpWithin = 6 * time.Second

// killAfter is how long a child has to end after SIGTERM.
const killAfter = 4 * time.Second

// pipeline brings records here.
type pipeline interface {
	// run gives each JSON line to show until ctx ends. It may reuse the line.
	run(ctx context.Context, show func(line []byte)) error
	// failures counts the errors that the pipeline logged.
	failures() uint64
}

// Run shows records until ctx ends. It returns an error if an event of the fake
// server did not arrive exactly once.
func (d *Demo) Run(ctx context.Context, console *terminal.Console) (err error) {
	dir, err := os.MkdirTemp("", "zitadel-siem-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	values := config.Input.FromEnv(os.Getenv)
	view, err := newView(values)
	if err != nil {
		return err
	}
	ledger := newLedger(view)
	var server *fakeServer
	if values["url"] == "" {
		if server, err = startFakeServer(ledger, d.Rate, filepath.Join(dir, actionsFile)); err != nil {
			return err
		}
		defer server.close()
		if values, err = server.options(dir, values); err != nil {
			return err
		}
		values["tier"] = "noise" // the sum at the end counts every event
		console.Line(fmt.Sprintf("fake ZITADEL server at %s: %s recorded events, and new ones all the time; logins run its actions, which print", values["url"], terminal.Thousands(ledger.written())))
	}
	if values["state_path"] == "" {
		values["state_path"] = filepath.Join(dir, "zitadel.state")
	}

	p, err := d.pipeline(dir, values, console)
	if err != nil {
		return err
	}
	return d.watch(ctx, console, p, server, ledger)
}

// pipeline is Fluent Bit if there is one, otherwise zitadel-siem.
func (d *Demo) pipeline(dir string, values map[string]string, console *terminal.Console) (pipeline, error) {
	fluentBit := os.Getenv("FLUENT_BIT")
	if fluentBit == "" {
		fluentBit, _ = exec.LookPath("fluent-bit")
	}
	own := ""
	if self, err := os.Executable(); err == nil {
		own = filepath.Dir(self)
	}
	plugins := d.Plugins
	if plugins == "" {
		plugins = own
	}
	var missing error
	for _, name := range []string{inPlugin, outPlugin} {
		if _, err := os.Stat(filepath.Join(plugins, name)); err != nil {
			missing = errors.Join(missing, err)
		}
	}
	switch {
	case d.Sidecar:
		console.Line("pipeline: the sidecar (--sidecar)")
	case fluentBit == "":
		console.Line("pipeline: the sidecar; there is no fluent-bit on PATH, and FLUENT_BIT is not set")
	case missing != nil && d.Plugins != "":
		return nil, fmt.Errorf("%w: --plugins: %w; ./build.sh plugin builds them", ErrUsage, missing)
	case missing != nil:
		console.Line("pipeline: the sidecar; the plugins are not in the directory of this program (./build.sh plugin builds them)")
	default:
		console.Line(fmt.Sprintf("pipeline: %s with %s and %s of %s", fluentBit, inPlugin, outPlugin, plugins))
		return newFluentBit(fluentBit, plugins, dir, values, console)
	}
	program := d.Program
	if program == "" {
		program = filepath.Join(own, "zitadel-siem")
	}
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("%w: --program: %w; ./build.sh sidecar builds it", ErrUsage, err)
	}
	return newSidecar(program, dir, values, console), nil
}

// watch shows what arrives until ctx or the time ends, waits until the pipeline has
// delivered everything that the fake server wrote, and sums up.
func (d *Demo) watch(ctx context.Context, console *terminal.Console, p pipeline, server *fakeServer, ledger *ledger) error {
	pipelineCtx, stopPipeline := context.WithCancel(context.WithoutCancel(ctx))
	defer stopPipeline()
	began, screen := time.Now(), newScreen(console, ledger.view)
	ended := make(chan error, 1)
	go func() {
		ended <- p.run(pipelineCtx, func(line []byte) {
			ledger.take(line)
			screen.show(line)
		})
	}()

	statusCtx, stopStatus := context.WithCancel(pipelineCtx)
	statusDone := make(chan struct{})
	go func() {
		defer close(statusDone)
		terminal.ShowStatus(statusCtx, console, func() terminal.Progress { return ledger.progress(p.failures()) })
	}()
	finish := func(err error) error {
		stopStatus()
		<-statusDone
		console.Clear()
		summary, incomplete := ledger.summary(time.Since(began))
		console.Line(summary)
		return cmp.Or(err, incomplete)
	}

	var timeIsUp <-chan time.Time
	if d.For > 0 {
		timer := time.NewTimer(d.For)
		defer timer.Stop()
		timeIsUp = timer.C
	}
	select {
	case <-ctx.Done():
	case <-timeIsUp:
	case err := <-ended: // the option end was reached, or it failed
		return finish(err)
	}

	if server != nil {
		server.stop()
		ledger.awaitAll(catchUpWithin)
	}
	stopPipeline()
	return finish(<-ended)
}

const (
	// actionsFile is the log of the fake server, in the demo's directory.
	actionsFile = "zitadel.log"

	inPlugin, outPlugin = "in_zitadel.so", "out_zitadel.so"
)
