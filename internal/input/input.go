// Package input is the Fluent Bit input plugin in plain Go: what a source needs
// of Fluent Bit, and what Fluent Bit needs of a source. It reads with package
// source and hands over with package pipe.
package input

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/fault"
	"github.com/zitadel-siem/zitadel-siem/internal/hostlog"
	"github.com/zitadel-siem/zitadel-siem/internal/pipe"
	"github.com/zitadel-siem/zitadel-siem/internal/source"
)

// stopTimeout is how long Stop waits for a call to ZITADEL, or for a write of
// the state, to give up. A host that is told to end waits for Stop.
const stopTimeout = 2 * time.Second

// Host is what the shell knows about the process that loaded it.
type Host struct {
	// Host is its logger. Open, Collect, Next, Done and Stop print on their
	// caller's thread.
	hostlog.Host
	// Tag asks for the instance's tag; empty if the host does not provide it. It is
	// called only by Open, and only for tag_by and max_chunk_size.
	Tag func() string
	// Generation counts how often the host loaded its configuration. Inputs of
	// one generation run side by side.
	Generation int
}

// Input is one instance of the plugin.
type Input struct {
	source *source.Source
	lines  *hostlog.Log
	log    *slog.Logger

	unowned   sync.Once
	unlimited sync.Once
	cancel    context.CancelFunc
	done      chan struct{} // closed once state and client are released
}

// Open checks the options, which get knows by name ("" is unset), and starts to
// read. If it returns an error, everything that is wrong is in the host's log,
// one line each. It does not use the network: errors there are logged while
// reading, and go away without a restart.
func Open(get func(string) string, host Host) (*Input, error) {
	in := &Input{lines: hostlog.New("input", host.Host), done: make(chan struct{})}
	in.log = in.lines.Logger()
	if err := in.lines.Start(func() error { return in.open(get, host) }); err != nil {
		return nil, err
	}
	return in, nil
}

func (in *Input) open(get func(string) string, host Host) error {
	s, warnings, err := config.Input.Parse(get, config.ParseOptions{NeedState: true})
	for _, w := range warnings {
		in.log.Warn(w)
	}
	if err != nil {
		return err
	}
	if n := openFiles(); fewFiles(n) {
		in.log.Warn(fmt.Sprintf("this process may have %d files open: while an output fails for long, Fluent Bit runs out of them and deletes chunks: "+
			"set the hard limit to %d or more (LimitNOFILE= of the unit, --ulimit nofile= of the container)", n, leastFiles))
	}
	tag := ""
	if option := needsTag(s); option != "" {
		if tag = host.Tag(); tag == "" {
			return fmt.Errorf("%s: this Fluent Bit does not tell a plugin its tag: use version 4.0 or later, or leave %s out", option, option)
		}
	}
	release, err := claimState(s.StatePath, host.Generation)
	if err != nil {
		return err
	}
	in.source, err = source.Open(context.Background(), s, source.Options{
		Log:          in.log,
		Tag:          tag,
		Refusal:      "fluent bit refuses records: its storage is full, or the input is paused",
		WaitForState: true,
	})
	if err != nil {
		release()
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	in.cancel = cancel
	go func() {
		defer close(in.done)
		defer release()
		if err := fault.Contain(func() error { return in.run(ctx) }); err != nil {
			in.log.Error("reading has ended: " + err.Error())
		}
	}()
	return nil
}

// needsTag returns the option that makes tags from the input's own, or nothing.
func needsTag(s config.Settings) string {
	if s.TagBy != "none" {
		return "tag_by"
	}
	return s.MaxChunk.Option()
}

// run reads until ctx ends.
func (in *Input) run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, in.source.Close()) }()
	state, err := in.source.AwaitState(ctx)
	if err != nil {
		return nil // stopped meanwhile
	}
	in.log.Info("reading starts", "url", in.source.Settings.URL.String(), "state_path", in.source.Settings.StatePath,
		"events_before", state.Events, "watermark", state.Watermark)
	// The host's callback empties the pipe. Only once it is out of it can nobody
	// commit any more, however long that takes. At its end the host takes nothing any more, so
	// that accepted webhooks stay in the spool.
	return in.source.Run(ctx, ctx, context.Background(), func(ctx context.Context) error { <-ctx.Done(); return nil })
}

// Collect hands over what is ready; see [pipe.Pipe.Drain]. threaded says that the
// caller is an input thread of the host.
func (in *Input) Collect(threaded bool, add pipe.Add) {
	if threaded {
		in.warnUnowned("this input runs on a thread of its own, where Fluent Bit does not say whether it stored a record: set `threaded: off`")
	}
	in.source.Pipe.Drain(add)
	in.lines.Print()
}

// Next is for a host without an append of its own; see [pipe.Pipe.Next].
func (in *Input) Next() []byte {
	if in.source.Settings.MaxChunk.Option() != "" {
		in.unlimited.Do(func() {
			in.log.Warn("max_chunk_size and max_chunk_records have no effect: this Fluent Bit exports no flb_input_log_append: use version 4.1 or later")
		})
	}
	in.warnUnowned("this Fluent Bit does not say whether it stored a record (it exports no flb_input_log_append): use version 4.1 or later, with `threaded: off`")
	data := in.source.Pipe.Next()
	in.lines.Print()
	return data
}

// Done says that the host has what Next gave; see [pipe.Pipe.Done].
func (in *Input) Done() {
	in.source.Pipe.Done()
	in.lines.Print()
}

// warnUnowned makes the pipe commit late, and logs why, once.
func (in *Input) warnUnowned(why string) {
	in.unowned.Do(func() {
		delay := in.source.Settings.CommitDelay
		in.source.Pipe.Delay(delay)
		in.log.Warn(why+"; until then the state stays behind, and a crash repeats records", "commit_delay", delay)
	})
}

// Stats are the instance's counters.
func (in *Input) Stats() *pipe.Stats { return &in.source.Pipe.Stats }

// Stop ends reading and handing over, within about two seconds for all inputs
// together. The next start reads again what the host has not taken.
func Stop(inputs ...*Input) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	for _, in := range inputs {
		in.cancel()
	}
	for _, in := range inputs {
		err := in.source.Pipe.Close(ctx)
		select {
		case <-in.done:
			in.log.Info("stopped", "read", in.Stats().Read.Load(), "handed_over", in.Stats().Taken.Load())
		case <-ctx.Done():
			in.log.Warn("stopping takes too long: Fluent Bit does not wait for it any longer", "error", errors.Join(err, ctx.Err()))
		}
		in.lines.Print()
		in.lines.Detach()
	}
}

// Refuse logs why an instance cannot start.
func Refuse(host Host, why string) {
	_ = hostlog.New("input", host.Host).Start(func() error { return errors.New(why) })
}
