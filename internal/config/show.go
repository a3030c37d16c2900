package config

import (
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// String returns "name=value" of every option that is set, without secrets.
func (s Settings) String() string { return Input.show(&s) }

// GoString keeps %#v as silent about secrets as %v.
func (s Settings) GoString() string { return "config.Settings{" + s.String() + "}" }

// LogValue implements [slog.LogValuer]: one attribute per option that is set.
func (s Settings) LogValue() slog.Value { return Input.attrs(&s) }

// String is as that of [Settings].
func (s OutputSettings) String() string { return Output.show(&s) }

// GoString is as that of [Settings].
func (s OutputSettings) GoString() string { return "config.OutputSettings{" + s.String() + "}" }

// LogValue is as that of [Settings].
func (s OutputSettings) LogValue() slog.Value { return Output.attrs(&s) }

func (os Options) show(settings any) string {
	var b strings.Builder
	for _, o := range os {
		if v := o.shown(settings); v != "" {
			if b.Len() > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(o.Name)
			b.WriteByte('=')
			b.WriteString(v)
		}
	}
	return b.String()
}

func (os Options) attrs(settings any) slog.Value {
	var attrs []slog.Attr
	for _, o := range os {
		if v := o.shown(settings); v != "" {
			attrs = append(attrs, slog.String(o.Name, v))
		}
	}
	return slog.GroupValue(attrs...)
}

// shown is the value of one option as text; empty where it is not set.
func (o Option) shown(settings any) string {
	switch f := o.field(settings).(type) {
	case *string:
		return *f
	case *Secret:
		return f.String()
	case *bool:
		if *f {
			return "on"
		}
		return "off"
	case *int:
		return strconv.Itoa(*f)
	case *time.Duration:
		return f.String()
	case *time.Time:
		if f.IsZero() {
			return ""
		}
		return f.Format(time.RFC3339Nano)
	case *[]string:
		return strings.Join(*f, ",")
	case *Start:
		return f.String()
	case *Forward:
		return f.String()
	case **url.URL:
		if *f == nil {
			return ""
		}
		return (*f).String()
	}
	return ""
}

// String returns the start as it could be written in a configuration.
func (s Start) String() string {
	switch {
	case s.Beginning:
		return "beginning"
	case s.Now:
		return "now"
	case !s.At.IsZero():
		return s.At.Format(time.RFC3339Nano)
	case s.Back != 0:
		return s.Back.String()
	}
	return ""
}
