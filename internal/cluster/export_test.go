package cluster

import "time"

// SetNow gives a member a monotonic clock of its own.
func SetNow(o *Options, now func() time.Time) { o.now = now }
