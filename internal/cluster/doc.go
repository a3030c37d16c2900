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
// A store restored from an old backup would have events read again. A member that has seen a
// newer store refuses to take sources until it is restarted: by the store's beat, which only grows (a sequence in
// PostgreSQL, the revision in etcd), and by each source's fencing number and number of commits. A
// member that still holds a source goes on, and its next commit makes the store new again. If
// all members were restarted, nobody has seen it: then a state without a commit for
// [Options.MaxAge] is refused. A younger backup cannot be told from a store as it was, and is
// accepted: at most MaxAge comes out twice. A store that lost a state, or is empty, reads as a
// missing state file does: from `start`. [Options.AcceptOld] accepts all of it.
//
// # Use
//
// A sidecar opens a store, makes one [Member] and runs it beside its sources. Each source is a
// loop: Hold, read and commit until Done closes, Close, and Hold again. See the example of
// [Member]. [Member.Status] is for /health, [Members] for a list of who holds what, and
// [Import] moves a state file into a store.
package cluster
