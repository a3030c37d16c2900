package format

import "log/slog"

// BrokenNames panics at each use.
func BrokenNames(log *slog.Logger) *Names { return &Names{log: log} }
