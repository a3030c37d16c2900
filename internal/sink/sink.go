// Package sink hands records over: as lines on standard output, or by the
// forward protocol to a Fluent Bit or a Fluentd that acknowledges them.
package sink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/forward"
	"github.com/zitadel-siem/zitadel-siem/internal/outage"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/retry"
)

// Sink takes records. Send gets n of them, encoded one after the other, and
// returns nil only if they need not be sent again. It must not keep the bytes.
type Sink interface {
	Send(ctx context.Context, tag string, records []byte, n int) error
	Close() error
}

// FinalError is the error of a sink that will not work again, such as a pipe
// whose reader is gone.
type FinalError struct{ Err error }

func (e *FinalError) Error() string { return e.Err.Error() }
func (e *FinalError) Unwrap() error { return e.Err }

// IsFinal reports whether there is a [FinalError] in err.
func IsFinal(err error) bool {
	_, final := errors.AsType[*FinalError](err)
	return final
}

// Open returns the sink that the settings name, and the encoder that makes
// records for it in the format f. Without the setting forward, the sink is lines.
func Open(s config.OutputSettings, f *format.Format, lines *Lines) (Sink, record.Encoder, error) {
	if s.Forward == (config.Forward{}) {
		return lines, f.Lines(), nil
	}
	sender, err := forward.New(s)
	if err != nil {
		return nil, nil, err
	}
	return sender, f.Msgpack(), nil
}

const (
	// lastSend is how long a message under way may still take when everything is to
	// end: without its acknowledgement, the records come twice.
	lastSend = 5 * time.Second
	// lastBegin is how long new messages may be begun then, with what must not wait for the
	// next start. The last one has the rest of lastSend.
	lastBegin = 4 * time.Second
)

// Outlive returns a context for [Sink.Send] that ends 5 seconds after ctx.
func Outlive(ctx context.Context) (sending context.Context, stop func()) {
	return outlive(ctx, lastSend)
}

// OutliveToDrain returns a context for handing over what must not wait for the next start. It ends a
// second before that of [Outlive].
func OutliveToDrain(ctx context.Context) (draining context.Context, stop func()) {
	return outlive(ctx, lastBegin)
}

func outlive(ctx context.Context, d time.Duration) (longer context.Context, stop func()) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	release := context.AfterFunc(ctx, func() { time.AfterFunc(d, cancel) })
	return longer, func() { release(); cancel() }
}

// Retry logs the failures of one sink and waits after each. Worked and Failed are for
// one goroutine.
type Retry struct {
	log      *slog.Logger
	backoff  *retry.Backoff
	failures outage.Log
}

// NewRetry returns a Retry. Its waits grow from half a second to half a minute.
func NewRetry(log *slog.Logger) *Retry {
	return &Retry{log: log, backoff: retry.New(500*time.Millisecond, 30*time.Second), failures: outage.Log{Remind: 10 * time.Minute}}
}

// Worked notes that the sink took records.
func (r *Retry) Worked() {
	r.backoff.Reset()
	if lasted, ended := r.failures.Worked(); ended {
		r.log.Info("records are taken again", "after", lasted.Round(time.Second))
	}
}

// Hurry makes the next waits short again, because there is little time left.
func (r *Retry) Hurry() { r.backoff.Reset() }

// Trouble returns why the sink takes no records, and since when; an empty text if it
// took the last ones. It may be called from any goroutine.
func (r *Retry) Trouble() (text string, since time.Time) { return r.failures.Current() }

// Failed notes that the sink did not take records, and waits. Its error is that
// of ctx, if ctx ends first.
func (r *Retry) Failed(ctx context.Context, err error) error {
	wait := r.backoff.Next()
	if r.failures.Failed(err) {
		r.log.Warn(fmt.Sprintf("records are not taken, nothing is lost: %v; again in %s", err, wait.Round(100*time.Millisecond)))
	}
	return retry.Sleep(ctx, wait)
}
