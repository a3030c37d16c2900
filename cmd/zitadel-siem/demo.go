package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/alecthomas/kong"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/sidecar"
)

type demoCommand struct {
	For     time.Duration `help:"End by itself after this long; without it, at Ctrl-C." env:"DEMO_FOR" placeholder:"10s"`
	Sidecar bool          `help:"Do not use Fluent Bit, even where there is one."`
	Dir     string        `name:"plugins" help:"Where in_zitadel.so and out_zitadel.so are, for Fluent Bit; default beside this program." placeholder:"DIR" type:"path"`
	Rate    float64       `help:"New transactions a second in the look-alike." default:"5"`

	kong.Plugins
}

func (c *demoCommand) Help() string {
	return "Without ZITADEL_URL (or --url) a ZITADEL look-alike is started on loopback. It holds the 2,881 events that a " +
		"real ZITADEL wrote, as if the last one were new, and goes on writing; logins run its actions, which write to a log. The real pipeline reads it: Fluent Bit " +
		"($FLUENT_BIT, or fluent-bit on PATH) with the built plugins and conf/sources.yaml, otherwise this program."
}

// catchUpWithin is how long the end waits for what the look-alike wrote last:
// settle, one poll, one callback and one flush take about 3 s.
const catchUpWithin = 6 * time.Second

// pipeline is what brings records here: Fluent Bit, or the core in process.
type pipeline interface {
	// run gives each JSON line to show until ctx ends. It may reuse the line.
	run(ctx context.Context, show func(line []byte)) error
	// failures counts what the pipeline called an error.
	failures() uint64
}

func (c *demoCommand) Run(ctx context.Context, console *console) (err error) {
	dir, err := os.MkdirTemp("", "zitadel-siem-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	values := optionValues(config.Input, c.Plugins)
	ledger := newLedger()
	var writer *lookAlike
	if values["url"] == "" {
		if writer, err = startLookAlike(ledger, c.Rate, filepath.Join(dir, actionsFile)); err != nil {
			return err
		}
		defer writer.close()
		if values, err = writer.options(dir, values); err != nil {
			return err
		}
		console.line(fmt.Sprintf("look-alike of ZITADEL at %s: %s recorded events, and new ones all the time; logins run its actions, which print", values["url"], thousands(ledger.written())))
	} else {
		ledger = nil // what a real store holds is not known
	}
	if values["state_path"] == "" {
		values["state_path"] = filepath.Join(dir, "zitadel.state")
	}

	p, err := c.pipeline(ctx, dir, values, console)
	if err != nil {
		return err
	}
	return c.watch(ctx, console, p, writer, newTally(ledger, console))
}

// pipeline picks Fluent Bit where there is one.
func (c *demoCommand) pipeline(ctx context.Context, dir string, values map[string]string, console *console) (pipeline, error) {
	fluentBit := os.Getenv("FLUENT_BIT")
	if fluentBit == "" {
		fluentBit, _ = exec.LookPath("fluent-bit")
	}
	dirOfPlugins := c.Dir
	if dirOfPlugins == "" {
		if self, err := os.Executable(); err == nil {
			dirOfPlugins = filepath.Dir(self)
		}
	}
	var missing error
	for _, name := range []string{inPlugin, outPlugin} {
		if _, err := os.Stat(filepath.Join(dirOfPlugins, name)); err != nil {
			missing = errors.Join(missing, err)
		}
	}
	switch {
	case c.Sidecar:
		console.line("pipeline: the sidecar (--sidecar)")
	case fluentBit == "":
		console.line("pipeline: the sidecar; there is no fluent-bit on PATH, and FLUENT_BIT is not set")
	case missing != nil && c.Dir != "":
		return nil, fmt.Errorf("--plugins: %w%w", missing, silent{errUsage})
	case missing != nil:
		console.line("pipeline: the sidecar; the plugins are not beside this program (./build.sh makes them)")
	default:
		console.line(fmt.Sprintf("pipeline: %s with %s and %s of %s", fluentBit, inPlugin, outPlugin, dirOfPlugins))
		return newFluentBit(fluentBit, dirOfPlugins, dir, values, console)
	}
	return newOwn(ctx, dir, values, console)
}

// watch shows what comes until ctx or the time ends, lets the pipeline catch
// up with the look-alike, and sums up.
func (c *demoCommand) watch(ctx context.Context, console *console, p pipeline, writer *lookAlike, tally *tally) error {
	pipelineCtx, stopPipeline := context.WithCancel(context.WithoutCancel(ctx))
	defer stopPipeline()
	ended := make(chan error, 1)
	go func() { ended <- p.run(pipelineCtx, tally.take) }()

	statusCtx, stopStatus := context.WithCancel(pipelineCtx)
	statusDone := make(chan struct{})
	go func() {
		defer close(statusDone)
		showStatus(statusCtx, console, func() progress { return tally.progress(p.failures()) })
	}()
	finish := func() {
		stopStatus()
		<-statusDone
		console.clear()
	}

	var timeIsUp <-chan time.Time
	if c.For > 0 {
		timer := time.NewTimer(c.For)
		defer timer.Stop()
		timeIsUp = timer.C
	}
	select {
	case <-ctx.Done():
	case <-timeIsUp:
	case err := <-ended: // by itself: `end` is reached, or it failed
		finish()
		console.line(tally.summary())
		if err != nil {
			return err
		}
		return tally.verdict()
	}

	if writer != nil {
		writer.stop()
		tally.awaitAll(catchUpWithin)
	}
	stopPipeline()
	err := <-ended
	finish()
	console.line(tally.summary())
	if err != nil {
		return err
	}
	return tally.verdict()
}

const (
	// actionsFile is the look-alike's log, in the demo's directory.
	actionsFile = "zitadel.log"

	inPlugin, outPlugin = "in_zitadel.so", "out_zitadel.so"
)

// own is the sidecar as a pipeline, with the log beside the events.
type own struct {
	source *sidecar.Source
	show   func(line []byte) // set by run
	log    string            // its path
}

func newOwn(ctx context.Context, dir string, values map[string]string, console *console) (pipeline, error) {
	settings, err := parseValues(config.Pull, values, console, config.ParseOptions{})
	if err != nil {
		return nil, err
	}
	o := &own{log: filepath.Join(dir, actionsFile)}
	o.source, err = sidecar.Open(ctx, settings, o, sidecar.Options{Log: console.logger(), TokenName: "ZITADEL_TOKEN", JSON: true, EndOnError: true})
	return o, err
}

func (o *own) run(ctx context.Context, show func([]byte)) error {
	o.show = show
	actions := make(chan error, 1)
	go func() { actions <- showActions(ctx, o.log, show) }()
	err := o.source.Run(ctx)
	if failed := <-actions; !errors.Is(failed, os.ErrNotExist) { // a real instance's log is elsewhere
		err = errors.Join(err, failed)
	}
	return errors.Join(err, o.source.Close())
}

func (o *own) failures() uint64 { return progressOf([]*sidecar.Source{o.source}).errors }

// Send and Close make a sink of it.
func (o *own) Send(_ context.Context, _ string, records []byte, _ int) error {
	for line := range bytes.Lines(records) {
		o.show(bytes.TrimSuffix(line, []byte("\n")))
	}
	return nil
}

func (o *own) Close() error { return nil }
