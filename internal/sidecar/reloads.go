package sidecar

import (
	"sync/atomic"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/page"
)

// Reloads counts attempts to read the settings again.
type Reloads struct {
	Taken, Failed atomic.Uint64
	trouble       atomic.Pointer[reloadTrouble]
}

type reloadTrouble struct {
	text  string
	since time.Time
}

// Note counts one; nil: the settings were taken.
func (r *Reloads) Note(err error) {
	if err == nil {
		r.Taken.Add(1)
		r.trouble.Store(nil)
		return
	}
	r.Failed.Add(1)
	since := time.Now()
	if before := r.trouble.Load(); before != nil {
		since = before.since
	}
	r.trouble.Store(&reloadTrouble{err.Error(), since})
}

// problem is what is wrong with the settings on the disk now; nil: nothing.
func (r *Reloads) problem() []page.Problem {
	t := r.trouble.Load()
	if t == nil {
		return nil
	}
	return []page.Problem{{Level: page.Warning, Since: t.since, What: "The sources could not be read again, so the ones before go on. " + t.text,
		Fix: "Correct the file. It is read again once it has changed, or with SIGHUP."}}
}
