package source

import (
	"context"
	"log/slog"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact/payload"
)

// readPast reads events without emitting them: those between the settings `start` and `end` that
// the filters of x select. It calls each for each event, redacted as the settings say, and after
// for each batch. An error of after ends it. It ends once ZITADEL's clock has passed the end by
// the overlap.
func (s *Source) readPast(ctx context.Context, x config.Settings, each func(*record.Event), after func(events.Batch) error) error {
	x.Settle, x.Sweep = 0, 0
	o := events.Options{Log: slog.New(warnings{s.opts.Log.Handler()}), Now: s.opts.Now}
	reader, err := events.NewReader(s.client, x, cursor.State{}, o)
	if err != nil {
		return err
	}
	return reader.Run(ctx, func(ctx context.Context, b events.Batch) error {
		for _, r := range b.Records {
			if e, ok := r.(*record.Event); ok {
				if s.Settings.Redact {
					payload.Record(e)
				}
				each(e)
			}
		}
		return after(b)
	})
}

// warnings leaves out what a reader tells of its own progress.
type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}
