package cluster

import (
	"context"
	"errors"
	"time"
)

// What a [Store] answers with, besides [cursor.ErrLost]; errors.Is finds them.
var (
	// ErrExpired means that the lease is over: the member needs a new one, and holds nothing.
	ErrExpired = errors.New("the lease is over")
	// ErrTaken means that another member holds the source.
	ErrTaken = errors.New("another member holds the source")
)

// Store keeps the leases, the holders and the states. It alone reads a clock to judge a lease.
// Methods are safe for concurrent use; each is one transaction: an error other than the
// named ones means that it may or may not have happened.
type Store interface {
	// Grant starts a lease, which ends ttl after its last renewal.
	Grant(ctx context.Context, ttl time.Duration, note Note) (lease string, err error)
	// Renew prolongs a lease and replaces its note. The error is [ErrExpired] once the store
	// has ended the lease.
	Renew(ctx context.Context, lease string, note Note) error
	// Revoke ends a lease: what it held is free.
	Revoke(ctx context.Context, lease string) error
	// Register makes sources known to the store. A known one stays as it is.
	Register(ctx context.Context, instances []string) error
	// Look reads who is there and what is free. Its cost for the network must not grow with the
	// number of sources that are held, as long as nothing changes.
	Look(ctx context.Context) (View, error)
	// Holders gives the lease that holds each source that is held.
	Holders(ctx context.Context) (map[string]string, error)
	// Take gives a free source, or one that this lease holds already, to the lease, and raises
	// its fencing number. Errors are [ErrTaken] and [ErrExpired].
	Take(ctx context.Context, lease, instance string) (Taken, error)
	// Commit replaces the state if the lease holds the source with this fencing number, and
	// number is higher than that of the state in the store. Else the error is
	// [cursor.ErrLost], except that a state with number or a higher one, committed under the
	// same fencing number, is success: it includes this one.
	Commit(ctx context.Context, lease, instance string, fence, number uint64, state []byte) error
	// Release frees a source if the lease holds it with this fencing number; zero is any.
	Release(ctx context.Context, lease, instance string, fence uint64) error
	// Alive notes that a member uses the store now, for View.Idle. It changes nothing if the note
	// is not the one that v shows: that of a backup, restored since, is evidence.
	Alive(ctx context.Context, v View) error
	// Accept notes the same, whatever the note is, and ends a refusal.
	Accept(ctx context.Context) error
	// Refuse notes for all members, and those to come, why the store is not to be used.
	Refuse(ctx context.Context, why string) error
	Close()
}

// Note is what a member tells the others in its lease.
type Note struct {
	Name    string `json:"name"`    // for people, for example the host name
	Sources string `json:"sources"` // a hash of the list of sources
	Waiting int    `json:"waiting"` // sources that the member would read and does not hold
}

// View is what the store holds at one moment.
type View struct {
	// Store is a random name that a store gets when it is created.
	Store string
	// Beat never decreases, over all members, unless the store goes back.
	Beat uint64
	// Noted is the moment of the last Alive or Accept, in microseconds since 1970; zero if there was none.
	Noted int64
	// Idle is the time since Noted, by the store's clock if it shows one; zero if there was none.
	Idle time.Duration
	// Refused is what Refuse has noted, unless it was accepted since.
	Refused string
	Members []MemberView
	Free    []string // registered and held by nobody
}

// MemberView is one member with a lease.
type MemberView struct {
	Lease string
	Note  Note
	Held  int
}

// Taken is a source as it was taken.
type Taken struct {
	Fence  uint64 // of this hold; higher than that of any hold before
	Number uint64 // of the last commit; zero if there was none
	State  []byte // as given to Commit; nil if there was none
	// Age is the time since the last commit, by the store's clock.
	Age time.Duration
}
