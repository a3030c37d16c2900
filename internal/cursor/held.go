package cursor

import "time"

// MinLease is the shortest lease of a state that several machines share: etcd counts leases in
// seconds, and grants none below two. It is here for the settings too, because they must not need
// the stores.
const MinLease = 2 * time.Second

// Held is the state of one source that this process holds: nobody else may move it.
// [File] is one, held by a lock on this machine. The stores that several machines share
// hold it by a lease. Methods are safe for concurrent use.
type Held interface {
	// Prepare gets s ready, so that Commit has little left to do. If it returns an error,
	// nothing has changed and the call may be repeated.
	Prepare(s State) (Pending, error)
	// Done is closed once reading must stop: the hold is lost or no longer certain, or
	// another process is to have the source. Nil if that cannot happen. It is closed before a
	// method returns an [ErrLost].
	Done() <-chan struct{}
	// Close drops what was prepared and not committed, and gives the source up.
	Close() error
}

// Pending is a prepared state, which does not count yet.
type Pending interface {
	// Commit makes it the state that counts, and drops those that were prepared before it:
	// it includes them. If it returns an error, the call may be repeated; the error is an
	// [ErrLost] if that is of no use.
	Commit() error
}
