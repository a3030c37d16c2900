// Package watched keeps a value that is read from files, and reads it again when
// they have changed.
//
// Nothing runs in the background: the files are looked at when the value is
// used. A change is therefore seen at the next use after the interval, and only
// if it changes what [Stamp] contains: two changes within the resolution of the
// file system's clock, in place and of equal size, look like one.
package watched

import (
	"sync"
	"sync/atomic"
	"time"
)

// Value is safe for concurrent use. Set the exported fields before the first use.
type Value[T any] struct {
	// Stamp describes the files, so that a change of them is a change of the
	// text. See the function [Stamp].
	Stamp func() string
	// Read reads the files. previous is the last value, or zero. If Read fails,
	// the value that it returns is used all the same.
	Read func(previous T) (T, error)
	// Changed, if set, is called when the files were read again because they
	// had changed, or because they could not be read before.
	Changed func(err error)
	Now     func() time.Time

	current atomic.Pointer[result[T]]
	mu      sync.Mutex
	looked  time.Time
	stamp   string
}

type result[T any] struct {
	value T
	err   error
}

// Get returns the value, and the error of the last reading. It looks at the files
// if the last look is at least interval ago. While another goroutine reads the
// files again, it returns the value before.
func (v *Value[T]) Get(interval time.Duration) (T, error) {
	if v.current.Load() == nil {
		v.mu.Lock()
		defer v.mu.Unlock()
	} else if v.mu.TryLock() {
		defer v.mu.Unlock()
	} else {
		return v.last()
	}
	last, now := v.current.Load(), v.Now()
	if last != nil && now.Sub(v.looked).Abs() < interval {
		return v.last()
	}
	v.looked = now
	stamp := v.Stamp()
	if last != nil && last.err == nil && stamp == v.stamp {
		return v.last()
	}
	v.read(stamp)
	if last != nil && v.Changed != nil {
		v.Changed(v.current.Load().err)
	}
	return v.last()
}

// Reload reads the files, whether they have changed or not.
func (v *Value[T]) Reload() (T, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.looked = v.Now()
	v.read(v.Stamp())
	return v.last()
}

// read is called with v.mu held. The stamp is older than the content, so that a
// change in between is seen next time.
func (v *Value[T]) read(stamp string) {
	var next result[T]
	if last := v.current.Load(); last != nil {
		next.value = last.value
	}
	next.value, next.err = v.Read(next.value)
	v.stamp = stamp
	v.current.Store(&next)
}

func (v *Value[T]) last() (T, error) {
	r := v.current.Load()
	return r.value, r.err
}
