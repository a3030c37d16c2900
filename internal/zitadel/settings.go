package zitadel

import (
	"log/slog"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// ConfigOf returns the part of the settings that a client needs.
func ConfigOf(s config.Settings, log *slog.Logger) Config {
	return Config{
		URL:              s.URL,
		Transport:        s.Transport,
		CAFile:           s.CAFile,
		Token:            s.Token.Reveal(),
		TokenFile:        s.TokenFile,
		KeyFile:          s.KeyFile,
		ClientID:         s.ClientID,
		ClientSecretFile: s.ClientSecretFile,
		RequestTimeout:   s.RequestTimeout,
		Language:         s.Language,
		Logger:           log,
	}
}
