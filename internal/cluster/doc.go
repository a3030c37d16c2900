// Package cluster lets several processes ("members") share sources through a store that the
// user already runs: [Store], in the packages postgres and etcd.
//
// Each member has one lease, which it renews three times in its length whatever the number of
// sources. A source is held by at most one lease. Each hold has a higher fencing number than
// the one before, and the store refuses a commit with another: a member that was paused, or
// cut off, cannot move a state that is no longer its own. What it had emitted and not
// committed comes out again, with the same event.id.
//
// No clocks of two machines are compared to judge a lease. The store's clock ends it. A member
// trusts it until the moment before it sent the last successful renewal, plus nine tenths of
// its length, by its own monotonic clock. After that every [cursor.Held.Done] closes. If the
// store then still has the lease, the sources come back to the same member by Hold; else they
// go to whoever takes them.
//
// A member holds at most ceil(sources / members), takes what is free up to that, and beyond it
// what nobody has taken for a third of a lease. Above its share it gives up one source after
// the other, as long as another member waits for some. Members balance only while all have the
// same list of sources.
//
// # A store that went back
//
// A store restored from an old backup would have events read again. The members refuse it, by
// the memory of those that saw a newer one, and by the time since a member last used it
// (trust.go has the reasons):
//
//	seen newer by a member, and more than a minute lost   refused
//	seen newer by a member, and at most a minute lost     a warning: a failover does this
//	seen newer by nobody, not used for Options.MaxAge     refused, after half a minute of watching
//	seen newer by nobody, not used for 5 minutes          a warning that says for how long
//
// A refusal stands in the store, for all members. It ends by itself if a newer backup is
// restored, and for all members once one with [Options.AcceptOld] starts. A member that holds a
// source meanwhile goes on, and its next commit makes that state new again.
//
// If the state of one source was deleted from the store, its source is read again from `start`,
// with a warning.
//
// # Cost
//
// For 1,000 sources and three members with [DefaultTTL], in requests to the store per second:
//
//	commits    17 if all sources are idle (each commits once a minute), at most 200 if all have
//	           events at each poll of 5 s. Each is one transaction that writes the whole state.
//	leases     0.6 renewals, each one small write (in etcd, of the lease alone while nothing
//	           changes), and 0.1 writes that the store is in use
//	looks      3, one round trip each; they read the number of sources, not the states
//	holds      0, and one write for each source that moves: 1,000 when a member is alone at
//	           the start, 8 at a time; 333 when one of three ends
//
// So commits are what a store has to be able to do.
//
// # Use
//
// A sidecar opens a store, makes one [Member] and runs it beside its sources. Each source is a
// loop: Hold, read and commit until Done closes, Close, and Hold again. See the example of
// [Member]. [Member.Status] is for /health, [Members] for a list of who holds what, and
// [Import] moves a state file into a store.
package cluster
