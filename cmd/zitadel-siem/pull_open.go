package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/detect"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/page"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/schema"
	"github.com/zitadel-siem/zitadel-siem/internal/sidecar"
	"github.com/zitadel-siem/zitadel-siem/internal/sink"
	"github.com/zitadel-siem/zitadel-siem/internal/source"
)

// opener opens a source. All of them that write to standard output share it.
func (c *pullCommand) opener(log *slog.Logger) sidecar.Opener {
	c.rules = sync.OnceValues(c.loadRules)                                                             // sources that come with a reload have the same ones
	lines := &sink.Lines{File: os.Stdout, EndsCutLine: true, Durable: c.Config != "" || c.shared.On()} // these sources have states
	return func(ctx context.Context, settings config.PullSettings, hold sidecar.Hold) (*sidecar.Feed, error) {
		if c.Config == "" && !c.shared.On() {
			lines.Durable = settings.StatePath != "" // the only source
		}
		return c.open(ctx, settings, hold, lines, log)
	}
}

func (c *pullCommand) open(ctx context.Context, settings config.PullSettings, hold sidecar.Hold, lines *sink.Lines, log *slog.Logger) (*sidecar.Feed, error) {
	f, err := format.Open(settings.Format)
	if err != nil {
		return nil, &source.SettingsError{Err: err}
	}
	to, encode, err := sink.Open(settings.Out, f, lines)
	if err != nil {
		return nil, err
	}
	detection, err := c.detection(settings)
	if err != nil {
		return nil, err
	}
	if err := settings.MakeStateDir(); err != nil {
		return nil, &source.SettingsError{Err: err}
	}
	o := source.Options{Detect: detection, Log: log, Format: f, Encode: encode, EndOnError: c.Once, Conns: &c.conns, Held: hold.Held, State: hold.State, Listener: hold.Listener, Relay: hold.Relays()}
	if c.Config != "" {
		o.Log = o.Log.With("instance", settings.Instance)
	} else {
		o.TokenName = "ZITADEL_TOKEN" // there is no such flag
	}
	if to == lines {
		o.EndOnError = c.Once || c.Config == ""
	}
	return sidecar.Open(ctx, settings, to, o)
}

func (c *pullCommand) detects() bool { return c.Detect != "" && c.Detect != "off" }

func (c *pullCommand) loadRules() (*detect.Set, error) {
	if c.Detect == "on" {
		return loadRules("")
	}
	return loadRules(c.Detect)
}

// detection is what the flags say of alerts; nil: none.
func (c *pullCommand) detection(settings config.PullSettings) (*source.Detection, error) {
	if !c.detects() {
		return nil, nil
	}
	f := settings.Format
	if !f.Raw() && f.Format != schema.ECS.String() && f.Format != schema.OCSF.String() {
		return nil, fmt.Errorf("--detect writes alerts in ECS or OCSF, which do not fit --format %s: use ecs, ocsf or raw%w", f.Format, silent{errUsage})
	}
	set, err := c.rules()
	if err != nil {
		return nil, err
	}
	level, err := detect.ParseLevel(c.MinLevel)
	if err != nil {
		return nil, err
	}
	d := &source.Detection{Rules: set, MinLevel: level, Encode: record.AppendMsgpack}
	if settings.Out.Forward == (config.Forward{}) {
		d.Encode = record.AppendLine
	}
	if f.Format == schema.OCSF.String() {
		d.Encode = asFinding(f.OCSFVersion, d.Encode)
	}
	d.Seen = func(a *detect.Alert) {
		who, whom, from := a.Who()
		c.alerts.Add(page.Alert{At: a.Last, Instance: settings.Instance, Severity: a.Rule.Level.String(), Rule: a.Rule.Title, Who: who, Whom: whom, From: from, Events: len(a.Events)})
	}
	return d, nil
}

// asFinding makes next write alerts in OCSF.
func asFinding(version string, next record.Encoder) record.Encoder {
	return func(b []byte, r record.Record) []byte {
		if a, ok := r.(*detect.Alert); ok {
			r = detect.Finding{Alert: a, Version: version}
		}
		return next(b, r)
	}
}
