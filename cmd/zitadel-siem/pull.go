package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/forward"
	"github.com/zitadel-siem/zitadel-siem/internal/sidecar"
)

type pullCommand struct {
	Once          bool   `help:"Read up to now, wait for late events (settle and overlap), and exit."`
	Config        string `help:"Read the sources of this YAML file, any number of them, instead of one source given by flags and variables." placeholder:"FILE" type:"path"`
	MetricsListen string `help:"Serve /metrics for Prometheus, /health and /live at HOST:PORT." placeholder:"HOST:PORT"`
	Status        bool   `help:"Print a status line on standard error every second, even if it is not a terminal."`

	kong.Plugins
}

func (c *pullCommand) Help() string {
	return "Each line is one event. With --forward, events go to a Fluent Bit instead. With --state-path, the next run continues where this one stopped. The state moves " +
		"after the lines were written or acknowledged, so a crash repeats some events and loses none. Deduplicate by event.id. " +
		"With --forward or --config it keeps retrying. Without them, or with --once, it exits on errors that need an operator. " +
		"Every option can also be given as an environment variable (ZITADEL_URL). A token can be given only as a variable or in a file."
}

func (c *pullCommand) Run(ctx context.Context, console *console) error {
	list, err := c.settings(console)
	if err != nil {
		return err
	}
	began := time.Now()
	out := &lines{file: os.Stdout}
	sources, err := c.open(ctx, list, out, console)
	if err != nil {
		return usage(err)
	}
	err = usage(c.run(ctx, sources, console))
	if err = errors.Join(err, sidecar.Close(sources)); errors.Is(err, syscall.EPIPE) {
		return err
	}
	if c.Status || console.terminal {
		for _, s := range sources {
			console.line(summary(s, time.Since(began), len(sources) > 1))
		}
	}
	return err
}

// usage marks an error of what the settings name.
func usage(err error) error {
	if _, wrong := errors.AsType[*sidecar.SettingsError](err); wrong {
		return fmt.Errorf("%w%w", err, silent{errUsage})
	}
	return err
}

// settings are those of every source.
func (c *pullCommand) settings(console *console) (list []config.PullSettings, err error) {
	if c.Config != "" {
		list, err = c.fromFile(console)
	} else {
		list, err = c.fromFlags(console)
	}
	if err != nil {
		return nil, err
	}
	if c.Once {
		for i := range list {
			if !list[i].End.IsZero() {
				return nil, fmt.Errorf("--once and --end contradict each other: give one%w", silent{errUsage})
			}
			list[i].End = time.Now()
		}
	}
	return list, nil
}

func (c *pullCommand) fromFlags(console *console) ([]config.PullSettings, error) {
	if c.MetricsListen == "" {
		c.MetricsListen = os.Getenv("ZITADEL_METRICS_LISTEN")
	}
	values := optionValues(config.Pull, c.Plugins)
	_, forwards := values["forward"]
	settings, err := parseValues(config.Pull, values, console, config.ParseOptions{NeedState: forwards})
	return []config.PullSettings{settings}, err
}

// fromFile takes nothing from flags and variables: with several sources, none
// could tell which one it is for.
func (c *pullCommand) fromFile(console *console) ([]config.PullSettings, error) {
	for name := range flagValues(config.Pull, c.Plugins) {
		o, _ := config.Pull.Lookup(name)
		return nil, fmt.Errorf("--%s and --config contradict each other: write %s into the file%w", o.Flag(), name, silent{errUsage})
	}
	file, err := config.ReadSources(c.Config, os.LookupEnv, config.ParseOptions{})
	if err != nil {
		return nil, fmt.Errorf("%w%w", err, silent{errUsage})
	}
	for _, w := range file.Warnings {
		console.warn(w)
	}
	if c.MetricsListen == "" {
		c.MetricsListen = file.MetricsListen
	}
	return file.List, nil
}

// open opens every source, or none.
func (c *pullCommand) open(ctx context.Context, list []config.PullSettings, out *lines, console *console) (sources []*sidecar.Source, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, sidecar.Close(sources))
		}
	}()
	writes := false // to standard output
	for _, settings := range list {
		o := sidecar.Options{Log: console.logger(), EndOnError: c.Once}
		if len(list) > 1 {
			o.Log = o.Log.With("instance", settings.Instance)
		}
		if c.Config == "" {
			o.TokenName = "ZITADEL_TOKEN" // there is no such flag
		}
		var sink sidecar.Sink = out
		if settings.Out.Forward != (config.Forward{}) {
			if sink, err = forward.New(forward.OptionsOf(settings.Out)); err != nil {
				return sources, err
			}
		} else {
			o.JSON, o.FinalSink, o.EndOnError = true, true, c.Once || c.Config == ""
			out.durable = out.durable || settings.StatePath != ""
			writes = true
		}
		s, err := sidecar.Open(ctx, settings, sink, o)
		if err != nil {
			return sources, err
		}
		sources = append(sources, s)
	}
	// Last: a run that is refused because another one goes on may have the file
	// of that one, and a line which is being written there.
	if writes {
		return sources, out.mend()
	}
	return sources, nil
}

// run shows how it goes while the sources run.
func (c *pullCommand) run(ctx context.Context, sources []*sidecar.Source, console *console) error {
	if c.MetricsListen != "" {
		metrics, err := sidecar.ListenMetrics(c.MetricsListen, sources, console.logger())
		if err != nil {
			return err
		}
		console.logger().Info("figures are served", "metrics", "http://"+metrics.Addr()+"/metrics", "health", "http://"+metrics.Addr()+"/health")
		defer serve(metrics, console)()
	}
	statusCtx, stopStatus := context.WithCancel(ctx)
	statusDone := make(chan struct{})
	go func() {
		defer close(statusDone)
		if c.Status || console.terminal && !isTerminal(os.Stdout) {
			showStatus(statusCtx, console, func() progress { return progressOf(sources) })
		}
	}()
	err := sidecar.Run(ctx, sources)
	stopStatus()
	<-statusDone
	console.clear()
	return err
}

// serve serves figures until stop is called.
func serve(metrics interface {
	Serve() error
	Close() error
}, console *console) (stop func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := metrics.Serve(); err != nil {
			console.logger().Error("figures are not served any more: " + err.Error())
		}
	}()
	return func() {
		_ = metrics.Close()
		<-ended
	}
}

// progressOf is that of all sources together: their slowest.
func progressOf(sources []*sidecar.Source) progress {
	sum := progress{lag: -1}
	for _, source := range sources {
		s := source.Reader()
		sum.events += source.Handed().Taken.Load()
		sum.errors += s.Unreadable.Load() + s.HolesGivenUp.Load()
		for _, n := range source.Figures().Errors {
			sum.errors += n
		}
		switch newest, upTo := s.Newest(), s.ReadUpTo(); {
		case !upTo.IsZero():
			sum.lag = max(sum.lag, time.Since(upTo), 0)
		case !newest.IsZero():
			sum.lag = max(sum.lag, time.Since(newest), 0)
			sum.note = "catching up"
		}
	}
	return sum
}

// summary is the last line of a run.
func summary(source *sidecar.Source, took time.Duration, named bool) string {
	s, settings := source.Reader(), source.Settings()
	written := source.Handed().Taken.Load()
	parts := []string{fmt.Sprintf("%s events in %s (%s/s)", thousands(written), roughly(took), thousands(uint64(float64(written)/max(took.Seconds(), 1e-3))))}
	if named {
		parts[0] = settings.Instance + ": " + parts[0]
	}
	var failed uint64
	for _, n := range s.Errors() {
		failed += n
	}
	for _, p := range []struct {
		n    uint64
		text string
	}{
		{failed, "failed calls, repeated where that could help"},
		{source.Handed().Refused.Load(), "times not taken, and sent again"},
		{s.Late.Load(), "came late"},
		{s.Duplicates.Load(), "read again and dropped"},
		{s.Filtered.Load(), "not wanted by the filters"},
		{s.Own.Load(), "left out by exclude_own"},
		{s.Hidden.Load(), "hidden by retention"},
		{s.Unreadable.Load(), "that ZITADEL cannot give"},
		{s.HolesGivenUp.Load(), "holes given up"},
	} {
		if p.n > 0 {
			parts = append(parts, thousands(p.n)+" "+p.text)
		}
	}
	if settings.StatePath != "" {
		parts = append(parts, "state in "+settings.StatePath)
	}
	return strings.Join(parts, "; ")
}
