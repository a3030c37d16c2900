package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

// core is what the plugin does, with a function in the place of Fluent Bit:
// reader, redaction, sink, and the cursor that moves when the sink is done.
type core struct {
	settings config.Settings
	client   *zitadel.Client
	reader   *events.Reader
	state    *cursor.File // nil without state_path
	began    time.Time
	resumed  cursor.State
}

// openCore opens the state first, so that a second reader is refused before
// ZITADEL is asked.
func openCore(ctx context.Context, settings config.Settings, log *slog.Logger) (_ *core, err error) {
	c := &core{settings: settings, began: time.Now()}
	if settings.StatePath != "" {
		if c.state, c.resumed, err = cursor.Open(settings.StatePath, settings.Instance); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if c.client, err = newClient(ctx, settings, settings.Transport, log); err != nil {
		return nil, err
	}
	if c.reader, err = events.NewReader(c.client, settings, c.resumed, log, nil); err != nil {
		return nil, err
	}
	return c, nil
}

func newClient(ctx context.Context, s config.Settings, transport string, log *slog.Logger) (*zitadel.Client, error) {
	cfg := zitadel.ConfigOf(s, log)
	cfg.Transport = transport
	cfg.TokenName = "ZITADEL_TOKEN" // there is no such flag
	return zitadel.New(ctx, cfg)
}

// run reads until `end` or until ctx ends, which is no error. The cursor moves
// when write has returned nil, and for no other reason.
func (c *core) run(ctx context.Context, write func([]record.Record) error) error {
	err := c.reader.Run(ctx, func(_ context.Context, b events.Batch) error {
		if c.settings.Redact {
			for i := range b.Records {
				redact.Record(&b.Records[i])
			}
		}
		// On disk before anything is given away: a full disk then stops the
		// reading instead of repeating events.
		var pending *cursor.Pending
		if c.state != nil {
			var err error
			if pending, err = c.state.Prepare(b.State); err != nil {
				return err
			}
		}
		if len(b.Records) > 0 {
			if err := write(b.Records); err != nil {
				return err
			}
		}
		if pending != nil {
			return pending.Commit()
		}
		return nil
	})
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

func (c *core) close() error {
	var errs []error
	if c.client != nil {
		errs = append(errs, c.client.Close())
	}
	if c.state != nil {
		errs = append(errs, c.state.Close())
	}
	return errors.Join(errs...)
}

// progress is the reader's, for the status line.
func (c *core) progress() progress {
	s := c.reader.Stats()
	p := progress{events: s.Events.Load(), lag: -1, errors: s.Unreadable.Load() + s.HolesGivenUp.Load()}
	for _, n := range s.Errors() {
		p.errors += n
	}
	switch newest, upTo := s.Newest(), s.ReadUpTo(); {
	case !upTo.IsZero():
		p.lag = max(0, time.Since(upTo))
	case !newest.IsZero():
		p.lag = max(0, time.Since(newest))
		p.note = "catching up"
	}
	return p
}
