package zitadel

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/retry"
)

// The waits of [Options.Patience]. ZITADEL Cloud allows 50 requests a second, so that a
// limit that was hit is soon over.
const (
	patienceFirst = time.Second
	patienceMost  = 15 * time.Second
)

// patience repeats calls that were refused because of a quota or a rate limit. Such a call
// was not carried out, so that any call may be repeated. It gives up, with the error of the
// call, before one call would wait longer than this.
type patience time.Duration

func (p patience) wait(ctx context.Context, log *slog.Logger, call func() error) error {
	waits := retry.New(patienceFirst, patienceMost)
	left := time.Duration(p)
	for {
		err := call()
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Class != Throttled {
			return err
		}
		wait := max(waits.Next(), e.RetryAfter)
		if left -= wait; left < 0 {
			return err
		}
		log.Info("ZITADEL limits the requests, asking again: "+e.Message, "in", wait.Round(time.Second))
		if err := retry.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}
