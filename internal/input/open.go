package input

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/hostlog"
	"github.com/zitadel-siem/zitadel-siem/internal/listen"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

// stopTime is how long Stop waits for a call to ZITADEL or a write of the state
// to give up. A host that is told to end waits for us meanwhile.
const stopTime = 2 * time.Second

// Host is what the shell knows about the process that loaded it.
type Host struct {
	// Host is its logger. Open, Collect, Next, Done and Stop print on their
	// caller's thread.
	hostlog.Host
	// Tag asks for the instance's tag; empty where the host does not tell. It
	// is called only by Open, and only for tag_by.
	Tag func() string
	// Generation counts how often the host loaded its configuration. Inputs of
	// one generation are meant to run side by side.
	Generation int
}

// Input is one instance of the plugin.
type Input struct {
	Settings config.Settings

	host  Host
	lines *hostlog.Log
	log   *slog.Logger
	pipe  *Pipe

	listener *listen.Listener // nil without `listen`

	unowned sync.Once
	cancel  context.CancelFunc
	done    chan struct{} // closed once state and client are released
}

// Open checks the options, which get knows by name ("" is unset), and starts to
// read. Everything wrong is in the host's log already when it returns an error,
// one line each. The network is not used here: trouble there is told while
// reading, and heals without a restart.
func Open(get func(string) string, host Host) (*Input, error) {
	in := &Input{host: host, done: make(chan struct{})}
	in.lines = hostlog.New("input", host.Host)
	in.log = in.lines.Logger()
	err := in.open(get)
	if err != nil {
		in.log.Error(err.Error())
	}
	in.lines.Print()
	if err != nil {
		in.lines.Detach()
		return nil, err
	}
	return in, nil
}

func (in *Input) open(get func(string) string) error {
	s, warnings, err := config.Input.Parse(get, config.ParseOptions{NeedState: true})
	for _, w := range warnings {
		in.log.Warn(w)
	}
	if err != nil {
		return err
	}
	in.Settings = s
	tag := ""
	if s.TagBy != "none" {
		if tag = in.host.Tag(); tag == "" {
			return fmt.Errorf("tag_by %q: this Fluent Bit does not tell a plugin its tag: use version 4.0 or later, or leave tag_by out", s.TagBy)
		}
	}
	client, err := zitadel.New(context.Background(), s, zitadel.Options{Log: in.log})
	if err != nil {
		return err
	}
	file, state, err := openState(s.StatePath, s.Instance, in.host.Generation)
	switch {
	case errors.Is(err, cursor.ErrLocked) && !heldBySibling(s.StatePath, in.host.Generation):
		in.log.Warn("another reader has the state, reading starts once it is gone", "state_path", s.StatePath)
	case err != nil:
		return errors.Join(err, client.Close())
	}

	if s.Listen.Address != "" {
		if in.listener, err = listen.Open(s, in.log); err != nil {
			if file != nil {
				err = errors.Join(err, file.Close())
			}
			return errors.Join(err, client.Close())
		}
	}
	o := OptionsOf(s, client, in.listener, in.log, nil)
	o.Tag = tag
	o.Refusal = "fluent bit refuses records: its storage is full, or the input is paused"
	in.pipe = NewPipe(o)
	ctx, cancel := context.WithCancel(context.Background())
	in.cancel = cancel
	go func() {
		defer close(in.done)
		defer client.Close()
		defer func() {
			if v := recover(); v != nil {
				in.log.Error("reading has ended: " + panicError(v).Error() + " (a fault in this program, please report it)")
			}
		}()
		in.run(ctx, file, state)
	}()
	return nil
}

// OptionsOf are those of a pipe that reads from client as s says, as msgpack.
// l may be nil: no webhooks; and now as well: time.Now.
func OptionsOf(s config.Settings, client events.Client, l *listen.Listener, log *slog.Logger, now func() time.Time) Options {
	ro := events.Options{Log: log, Now: now, Stats: new(events.Stats)}
	if l != nil {
		ro.Pushes = l.Pushes()
	}
	return Options{
		NewPuller: func(state cursor.State) (Puller, error) {
			return events.NewReader(client, s, state, ro)
		},
		Webhooks:    l,
		Redact:      redaction(s),
		Encode:      record.AppendMsgpack,
		EncodeOther: func(b []byte, o events.Other) []byte { return o.AppendMsgpack(b) },
		Instance:    s.Instance,
		TagBy:       s.TagBy,
		BufferSize:  s.BufferSize,
		Log:         log,
		ReaderStats: ro.Stats,
		Heartbeat:   s.Heartbeat,
		Beat:        AppendHeartbeat,
	}
}

func redaction(s config.Settings) func(*record.Record) {
	if !s.Redact {
		return func(*record.Record) {}
	}
	return func(r *record.Record) { redact.Record(r) }
}

// run reads until ctx ends. file is nil while another reader has the state.
func (in *Input) run(ctx context.Context, file *stateFile, state cursor.State) {
	if file == nil {
		var err error
		if file, state, err = in.awaitState(ctx); err != nil {
			return
		}
	}
	in.log.Info("reading starts", "url", in.Settings.URL.String(), "state_path", in.Settings.StatePath,
		"events_before", state.Events, "watermark", state.Watermark)
	// Webhooks outlast the pipe: what it acknowledges last is to leave the spool.
	listening, stopListening := context.WithCancel(context.WithoutCancel(ctx))
	defer stopListening()
	var listener sync.WaitGroup
	if in.listener != nil {
		listener.Go(func() { in.listener.Keep(listening) })
	}
	_ = in.pipe.Run(ctx, file, state) // errors are told there, and do not end it
	// Only when the host is out of Drain can nobody commit any more.
	_ = in.pipe.Close(context.Background())
	stopListening()
	listener.Wait()
	if err := file.Close(); err != nil {
		in.log.Error("state cannot be closed: " + err.Error())
	}
}

// Collect hands over what is ready; see [Pipe.Drain]. threaded says that the
// caller is an input thread of the host's.
func (in *Input) Collect(threaded bool, add Add) {
	if threaded {
		in.warnUnowned("this input runs on a thread of its own, where Fluent Bit does not say whether it stored a record: set `threaded: off`")
	}
	in.pipe.Drain(add)
	in.lines.Print()
}

// Next is for a host without an append of its own; see [Pipe.Next].
func (in *Input) Next() []byte {
	in.warnUnowned("this Fluent Bit does not say whether it stored a record (it exports no flb_input_log_append): use version 4.1 or later, with `threaded: off`")
	data := in.pipe.Next()
	in.lines.Print()
	return data
}

// Done says that the host has what Next gave; see [Pipe.Done].
func (in *Input) Done() {
	in.pipe.Done()
	in.lines.Print()
}

// warnUnowned sets the pipe to commit late and tells why, once.
func (in *Input) warnUnowned(why string) {
	in.unowned.Do(func() {
		in.pipe.Delay(in.Settings.CommitDelay)
		in.log.Warn(why+"; until then the state stays behind, and a crash repeats records", "commit_delay", in.Settings.CommitDelay)
	})
}

// Stats are the instance's counters.
func (in *Input) Stats() *Stats { return &in.pipe.Stats }

// Stop ends reading and handing over, within about two seconds for all inputs
// together. What the host has not taken is read again by the next start.
func Stop(inputs ...*Input) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	for _, in := range inputs {
		in.cancel()
	}
	for _, in := range inputs {
		err := in.pipe.Close(ctx)
		select {
		case <-in.done:
			in.log.Info("stopped", "read", in.pipe.Stats.Read.Load(), "handed_over", in.pipe.Stats.Taken.Load())
		case <-ctx.Done():
			in.log.Warn("stopping takes long, it is not waited for", "error", errors.Join(err, ctx.Err()))
		}
		in.lines.Print()
		in.lines.Detach()
	}
}

// Refuse tells why an instance cannot be.
func Refuse(host Host, why string) {
	in := &Input{host: host, lines: hostlog.New("input", host.Host)}
	in.lines.Logger().Error(why)
	in.lines.Print()
	in.lines.Detach()
}
