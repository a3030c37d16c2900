package output

import (
	"context"
	"log/slog"
	"sync"

	"github.com/zitadel-siem/zitadel-siem/internal/chunks"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/forward"
	"github.com/zitadel-siem/zitadel-siem/internal/hostlog"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// Output is one instance of the plugin.
type Output struct {
	Settings config.OutputSettings

	lines   *hostlog.Log
	log     *slog.Logger
	sender  *forward.Sender
	flusher *Flusher

	here   func(config.Forward) bool // see listensHere
	engine sync.Once                 // for toSelf
	toSelf bool
	ctx    context.Context // ends with Stop
	cancel context.CancelFunc
}

// Open checks the options; get returns them by name ("" is unset). If it returns an error,
// everything that is wrong is in the host's log, one line each. It does not use the
// network: flushes log errors there, and no restart is needed after them.
func Open(get func(string) string, host hostlog.Host) (*Output, error) {
	o := &Output{lines: hostlog.New("output", host), here: listensHere}
	o.log = o.lines.Logger()
	if err := o.lines.Start(func() error { return o.open(get) }); err != nil {
		return nil, err
	}
	return o, nil
}

func (o *Output) open(get func(string) string) error {
	s, warnings, err := config.Output.Parse(get, config.ParseOptions{NeedForward: true})
	for _, w := range warnings {
		o.log.Warn(w)
	}
	if err != nil {
		return err
	}
	o.Settings = s
	f, err := format.Open(s.Format)
	if err != nil {
		return err
	}
	if o.sender, err = forward.New(s); err != nil {
		return err
	}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	o.flusher = New(Options{
		LineKeys:  s.LineKeys,
		Parser:    parser.Options{Kinds: parser.KindsOf(s.Kinds...), Raw: s.Raw, Instance: s.Instance},
		Format:    f,
		Tag:       s.Tag,
		ChunkSize: s.ChunkSize,
		Limit:     chunks.Limit(s.MaxChunk),
		Send:      o.sender.Send,
		Log:       o.log,
	})
	return nil
}

// Flush takes one chunk of the host, see [Flusher.Flush]. onEngine says that the caller is
// the host's engine and not a worker.
//
// The work is done on a separate goroutine: the caller runs on the 64 KiB stack of a
// coroutine of Fluent Bit, which is too small for more Go code.
func (o *Output) Flush(onEngine bool, tag string, chunk []byte) (result Result) {
	defer o.lines.Print()
	if onEngine && !o.mayBlock() {
		return Retry
	}
	done := make(chan Result, 1)
	go func() { done <- o.flusher.Flush(o.ctx, tag, chunk) }()
	return <-done
}

// mayBlock reports whether records can be sent from the host's engine. It checks this at
// the first flush, because then the inputs are listening, and logs the result.
func (o *Output) mayBlock() bool {
	o.engine.Do(func() {
		if o.toSelf = o.here(o.Settings.Forward); o.toSelf {
			o.log.Error("nothing is sent: forward leads to this Fluent Bit itself, whose engine would wait for its own acknowledgement: set `workers: 1` on this output",
				"forward", o.Settings.Forward)
		} else {
			o.log.Warn("this output runs on Fluent Bit's engine, which waits while records are sent: set `workers: 1`")
		}
		o.lines.Print() // before the engine waits
	})
	return !o.toSelf
}

// Counts are the instance's counters.
func (o *Output) Counts() Counts { return o.flusher.Counts() }

// Stop ends sending. Chunks that are being sent get the result [Retry]. Fluent Bit calls it
// after the workers have ended and their flushes have returned (flb_output_exit).
func (o *Output) Stop() {
	o.cancel()
	_ = o.sender.Close()
	counts := o.Counts()
	o.log.Info("stopped", counts.attrs()...)
	o.lines.Print()
	o.lines.Detach()
}
