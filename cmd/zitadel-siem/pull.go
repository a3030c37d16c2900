package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/detect"
	"github.com/zitadel-siem/zitadel-siem/internal/page"
	"github.com/zitadel-siem/zitadel-siem/internal/sidecar"
	"github.com/zitadel-siem/zitadel-siem/internal/source"
	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

type pullCommand struct {
	Once           bool        `help:"Read up to now, wait for late events (settle and overlap), and exit."`
	Config         string      `help:"Read the sources of this YAML file, any number of them, instead of one source given by flags and variables." placeholder:"FILE" type:"path"`
	MetricsListen  string      `help:"Serve /metrics for Prometheus, /health, /live, and on this machine a status page at HOST:PORT." placeholder:"HOST:PORT"`
	State          string      `help:"Keep the state in this store, for several processes that share the sources, of which one reads at a time: postgres://USER@HOST/DATABASE or etcd://HOST:2379. With --config, write it into the file." placeholder:"URL"`
	StateLease     string      `help:"With --state, how long after the end of a process another one goes on (default 15s)." placeholder:"DURATION"`
	AcceptOldState bool        `help:"Accept a store that was restored from an old backup: events since then come again, with the same event.id."`
	Members        membersFlag `help:"Print which process holds which sources, as the store has it, and exit; --members=json prints a JSON line for each process."`
	Detect         string      `help:"Evaluate Sigma rules, and write alerts beside the events: on for the built-in rules, or a directory of rules." placeholder:"on|DIR"`
	MinLevel       string      `help:"With --detect, lowest level of rules that give alerts." default:"low" enum:"informational,low,medium,high,critical"`
	Status         bool        `help:"Print a status line on standard error every second, even if it is not a terminal."`

	kong.Plugins

	rules       func() (*detect.Set, error)
	conns       zitadel.Conns // of all sources
	alerts      *page.Alerts  // for the status page; nil without detect
	fileListens string        // metrics_listen of the file
	shared      config.SharedState
}

func (c *pullCommand) Help() string {
	return "Each line is one event. With --forward, events go to a Fluent Bit instead. With --state-path, the next run continues where this one stopped. The state moves " +
		"after the lines were written or acknowledged, so a crash repeats some events and loses none. Deduplicate by event.id. " +
		"With --forward or --config it keeps retrying. Without them, or with --once, it exits on errors that need an operator. " +
		"Every option can also be given as an environment variable (ZITADEL_URL). A token can be given only as a variable or in a file."
}

func (c *pullCommand) Run(ctx context.Context, console *terminal.Console) error {
	if c.Members != "" {
		return c.printMembers(ctx, console)
	}
	sources, err := c.settings(console)
	if err != nil {
		return err
	}
	began := time.Now()
	log, messages := console.Logger(), new(page.Journal)
	if c.MetricsListen != "" {
		log = messages.Watch(log)
	}
	if c.detects() {
		c.alerts = new(page.Alerts)
	}
	set, end, err := c.start(ctx, sources, log)
	if err != nil {
		return usage(err)
	}
	defer end()
	err = usage(c.run(ctx, set, sources, sidecar.Shown{Messages: messages, Alerts: c.alerts}, log, console))
	if err = errors.Join(err, set.Close()); errors.Is(err, syscall.EPIPE) {
		return err
	}
	if c.Status || console.Terminal {
		feeds := set.Feeds()
		for _, f := range feeds {
			console.Line(summary(f, time.Since(began), len(feeds) > 1, c.shared.On()))
		}
	}
	return err
}

// usage marks an error that is about the settings.
func usage(err error) error {
	if _, wrong := errors.AsType[*source.SettingsError](err); wrong {
		return fmt.Errorf("%w%w", err, silent{errUsage})
	}
	return err
}

// settings are those of every source.
func (c *pullCommand) settings(console *terminal.Console) (sources config.Sources, err error) {
	if c.Config != "" {
		sources, err = c.fromFile(console)
	} else {
		sources, err = c.fromFlags(console)
	}
	if err != nil {
		return config.Sources{}, err
	}
	if c.shared = sources.State; c.Once && c.shared.On() {
		return config.Sources{}, fmt.Errorf("--once and state contradict each other, because another process may hold the source: use one%w", silent{errUsage})
	}
	if c.Once {
		for i := range sources.List {
			if !sources.List[i].End.IsZero() {
				return config.Sources{}, fmt.Errorf("--once and --end contradict each other: use one%w", silent{errUsage})
			}
			sources.List[i].End = time.Now()
		}
	}
	return sources, nil
}

func (c *pullCommand) fromFlags(console *terminal.Console) (config.Sources, error) {
	if c.MetricsListen == "" {
		c.MetricsListen = os.Getenv("ZITADEL_METRICS_LISTEN")
	}
	values := optionValues(config.Pull, c.Plugins)
	_, forwards := values["forward"]
	state, err := sharedState(c.State, c.StateLease)
	if err != nil {
		return config.Sources{}, err
	}
	settings, err := parseValues(config.Pull, values, console, config.ParseOptions{NeedState: forwards, Shared: state.On()})
	return config.Sources{List: []config.PullSettings{settings}, State: state}, err
}

// fromFile takes nothing from flags and variables: with several sources it would
// not be clear which one they are for.
func (c *pullCommand) fromFile(console *terminal.Console) (config.Sources, error) {
	for name := range flagValues(config.Pull, c.Plugins) {
		o, _ := config.Pull.Lookup(name)
		return config.Sources{}, fmt.Errorf("--%s and --config contradict each other: write %s into the file%w", o.Flag(), name, silent{errUsage})
	}
	if err := notBesideFile(c.State, c.StateLease); err != nil {
		return config.Sources{}, err
	}
	file, err := config.ReadSources(c.Config, os.LookupEnv, config.ParseOptions{})
	if err != nil {
		return config.Sources{}, fmt.Errorf("%w%w", err, silent{errUsage})
	}
	for _, w := range file.Warnings {
		console.Warn(w)
	}
	c.fileListens = file.MetricsListen
	if c.MetricsListen == "" {
		c.MetricsListen = file.MetricsListen
	}
	return file, nil
}

// run runs the sources and shows the progress meanwhile. sources are those of set.
func (c *pullCommand) run(ctx context.Context, set *sidecar.Set, sources config.Sources, shown sidecar.Shown, log *slog.Logger, console *terminal.Console) error {
	if c.MetricsListen != "" {
		metrics, err := sidecar.ListenMetrics(c.MetricsListen, set, shown, console.Logger())
		if err != nil {
			return err
		}
		console.Logger().Info("metrics are served", "status", "http://"+metrics.Addr()+"/", "metrics", "http://"+metrics.Addr()+"/metrics", "health", "http://"+metrics.Addr()+"/health")
		defer serve(metrics, console)()
	}
	statusCtx, stopStatus := context.WithCancel(ctx)
	statusDone := make(chan struct{})
	go func() {
		defer close(statusDone)
		if c.Status || console.Terminal && !terminal.IsTerminal(os.Stdout) {
			terminal.ShowStatus(statusCtx, console, func() terminal.Progress { return progressOf(set.Feeds()) })
		}
	}()
	if c.Config != "" && !c.Once {
		set.Stays = true
		r := reloader{path: c.Config, dir: sources.Dir, seen: sources.Stamp, metricsListen: c.fileListens, state: c.shared, set: set, log: log}
		defer r.start(ctx)()
	}
	defer tellSystemd(ctx, console.Logger())()
	err := set.Run(ctx)
	stopStatus()
	<-statusDone
	console.Clear()
	return err
}

// tellSystemd says that this service is ready (Type=notify) and, when ctx ends, that it
// stops. The settings are valid then, the states are locked, and the address of the
// metrics is taken. Without NOTIFY_SOCKET it does nothing.
func tellSystemd(ctx context.Context, log *slog.Logger) (stop func()) {
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		log.Warn("systemd could not be told that the service is ready: " + err.Error())
	}
	told := make(chan struct{})
	release := context.AfterFunc(ctx, func() {
		defer close(told)
		_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping)
	})
	return func() {
		if !release() {
			<-told
		}
	}
}

// serve serves metrics until stop is called.
func serve(metrics interface {
	Serve() error
	Close() error
}, console *terminal.Console) (stop func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := metrics.Serve(); err != nil {
			console.Logger().Error("metrics are not served any more: " + err.Error())
		}
	}()
	return func() {
		_ = metrics.Close()
		<-ended
	}
}

// progressOf is the progress of all sources together, with the lag of the slowest.
func progressOf(feeds []*sidecar.Feed) terminal.Progress {
	sum := terminal.Progress{Lag: -1}
	for _, f := range feeds {
		sum.Events += f.Pipe.Stats.Taken.Load()
		sum.Errors += f.Reader.Unreadable.Load() + f.Reader.HolesGivenUp.Load()
		for _, n := range f.Metrics().Errors {
			sum.Errors += n
		}
		lag, caughtUp := f.ReadLag(time.Now())
		sum.Lag = max(sum.Lag, lag)
		if lag >= 0 && !caughtUp {
			sum.Note = "catching up"
		}
	}
	return sum
}

// summary is the last line of a run.
func summary(f *sidecar.Feed, took time.Duration, named, shared bool) string {
	s, settings := &f.Reader, f.Settings
	written := f.Pipe.Stats.Taken.Load()
	parts := []string{fmt.Sprintf("%s events in %s (%s/s)", terminal.Thousands(written), terminal.Roughly(took), terminal.Thousands(uint64(float64(written)/max(took.Seconds(), 1e-3))))}
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
		{failed, "failed calls (retried if that could help)"},
		{f.Pipe.Stats.Refused.Load(), "times not accepted, and sent again"},
		{s.Late.Load(), "came late"},
		{s.Duplicates.Load(), "read again and dropped"},
		{s.Filtered.Load(), "dropped by the filters"},
		{s.Own.Load(), "dropped by exclude_own"},
		{s.Hidden.Load(), "hidden by retention"},
		{s.Unreadable.Load(), "that ZITADEL cannot give"},
		{s.HolesGivenUp.Load(), "gaps given up"},
	} {
		if p.n > 0 {
			parts = append(parts, terminal.Thousands(p.n)+" "+p.text)
		}
	}
	if shared {
		parts = append(parts, "state in the store")
	}
	if settings.StatePath != "" {
		parts = append(parts, "state in "+settings.StatePath)
	}
	return strings.Join(parts, "; ")
}
