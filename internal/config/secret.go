package config

import (
	"fmt"
	"log/slog"
)

// Secret is a string that appears in no log, error or dump, with any verb or encoder.
// Only [Secret.Reveal] returns it.
type Secret string

const redacted = "[REDACTED]"

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String returns "[REDACTED]", or "" if there is no secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// Format implements [fmt.Formatter] for every verb, %q, %x and %#v too.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements [encoding.TextMarshaler], so that JSON and YAML
// show "[REDACTED]" as well.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
