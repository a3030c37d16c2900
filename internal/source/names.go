package source

import (
	"errors"

	"github.com/zitadel-siem/zitadel-siem/internal/enrich"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
)

// namesSuffix is appended to state_path for the file of names.
const namesSuffix = ".names"

// openNames opens what earlier events said. It is called with the state: both files have
// one owner.
func (s *Source) openNames() error {
	if !s.Settings.Enrich.On {
		return nil
	}
	path := s.Settings.StatePath
	if path != "" {
		path += namesSuffix
	}
	names, err := format.OpenNames(path, enrich.Options{Instance: s.Settings.Instance, MaxBytes: s.Settings.Enrich.Size, Log: s.opts.Log})
	switch {
	case errors.Is(err, enrich.ErrDamaged), errors.Is(err, enrich.ErrForeign):
		return &SettingsError{err}
	case err != nil:
		return err
	}
	s.names = names
	return nil
}

// syncNames makes durable what the events before a state taught.
func (s *Source) syncNames() error {
	if s.names == nil {
		return nil
	}
	return s.names.Sync()
}
