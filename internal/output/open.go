package output

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/forward"
	"github.com/zitadel-siem/zitadel-siem/internal/hostlog"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// stopTime is how long Stop waits for flushes to give up. A host that is told to
// end waits for us meanwhile.
const stopTime = 2 * time.Second

// Output is one instance of the plugin.
type Output struct {
	Settings config.OutputSettings

	lines   *hostlog.Log
	log     *slog.Logger
	sender  *forward.Sender
	flusher *Flusher

	here   func(config.Forward) bool // see listensHere
	engine sync.Once
	ctx    context.Context // ends with Stop
	cancel context.CancelFunc

	mu      sync.Mutex
	stopped bool
	flushes sync.WaitGroup
}

// Open checks the options, which get knows by name ("" is unset). Everything
// wrong is in the host's log already when it returns an error, one line each.
// The network is not used here: trouble there is told by flushes, and heals without
// a restart.
func Open(get func(string) string, host hostlog.Host) (*Output, error) {
	o := &Output{lines: hostlog.New("output", host), here: listensHere}
	o.log = o.lines.Logger()
	err := o.open(get)
	if err != nil {
		o.log.Error(err.Error())
	}
	o.lines.Print()
	if err != nil {
		o.lines.Detach()
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
	if o.sender, err = forward.New(forward.OptionsOf(s)); err != nil {
		return err
	}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	o.flusher = New(Options{
		LineKeys:  s.LineKeys,
		Parser:    parser.Options{Kinds: parser.KindsOf(s.Kinds...), Raw: s.Raw, Instance: s.Instance},
		Tag:       s.Tag,
		ChunkSize: s.ChunkSize,
		Send:      o.sender.Send,
		Log:       o.log,
	})
	return nil
}

// Flush takes one chunk of the host's, see [Flusher.Flush]. onEngine says that the
// caller is the host's engine rather than a worker.
//
// The work is done on a goroutine of its own: the caller's stack is one of
// Fluent Bit's coroutines, of 64 KiB, and Go's runtime should not grow on it.
func (o *Output) Flush(onEngine bool, tag string, chunk []byte) (result Result) {
	defer o.lines.Print()
	if !o.begin() {
		return Retry
	}
	defer o.flushes.Done()
	if onEngine && !o.mayBlock() {
		return Retry
	}
	done := make(chan Result, 1)
	go func() {
		result := Retry
		defer func() {
			if v := recover(); v != nil {
				o.log.Error(fmt.Sprintf("panic of type %T, please report it", v))
			}
			done <- result
		}()
		result = o.flusher.Flush(o.ctx, tag, chunk)
	}()
	return <-done
}

func (o *Output) begin() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stopped {
		return false
	}
	o.flushes.Add(1)
	return true
}

// mayBlock says whether records can be sent from the host's engine, and once why
// that is slow, or cannot be.
func (o *Output) mayBlock() bool {
	here := o.here(o.Settings.Forward)
	o.engine.Do(func() {
		if here {
			o.log.Error("nothing is sent: forward leads to this Fluent Bit itself, whose engine would wait for its own acknowledgement: set `workers: 1` on this output",
				"forward", o.Settings.Forward)
		} else {
			o.log.Warn("this output runs on Fluent Bit's engine, which stands still while records are sent: set `workers: 1`")
		}
		o.lines.Print() // before the engine stands still
	})
	return !here
}

// Counts are the instance's counters.
func (o *Output) Counts() Counts { return o.flusher.Counts() }

// Stop ends the flushes that are under way, within about two seconds for all
// outputs together. Their chunks are to come again.
func Stop(outputs ...*Output) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	for _, o := range outputs {
		o.mu.Lock()
		o.stopped = true
		o.mu.Unlock()
		o.cancel()
	}
	for _, o := range outputs {
		ended := make(chan struct{})
		go func() {
			o.flushes.Wait()
			_ = o.sender.Close()
			close(ended)
		}()
		select {
		case <-ended:
			counts := o.Counts()
			o.log.Info("stopped", counts.attrs()...)
		case <-ctx.Done():
			o.log.Warn("stopping takes long, it is not waited for")
		}
		o.lines.Print()
		o.lines.Detach()
	}
}
