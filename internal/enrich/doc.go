// Package enrich remembers what single events do not say: the name of a user id, of an
// organisation, a project, an application; the user and the client address of a session;
// the roles of a grant; the owner of a token. It learns all of it from the events
// themselves, in the order in which they are emitted, and asks no API.
//
// # What it promises
//
//   - After [Store.Sync] has returned nil, everything that was learned before outlives a
//     kill and a power cut. Sync is called before the cursor of the batch is committed, so
//     that a crash forgets nothing that a committed event taught. What is on disk ahead of
//     the cursor is harmless: learning an event twice changes nothing.
//   - The order of arrival does not matter. Values are kept in groups, and each group keeps
//     the sequence of the event that taught it. An older event never overwrites the values
//     of a newer one. Pushes may come early, and overlaps and restarts may repeat events.
//   - The name of something removed still answers for the event of its removal, for all
//     events of that transaction, and until an event is learned that was created more than
//     [Grace] later. Then it is forgotten; only the id stays, so that an older event that
//     comes late does not bring the name back. It leaves the file within [Day] of events.
//     Users and projects of a removed organisation, and applications of a removed project,
//     are forgotten with it.
//   - Memory is bounded by [Options.MaxBytes] and [Options.MaxEntries]. The entries that were
//     not used for longest are evicted first (second chance, approximately). Sessions and
//     names have separate room, so a flood of logins evicts sessions and never names.
//   - Only the fields of the table in teach.go are kept, each at most [MaxText] bytes, and
//     an id that is longer is not kept at all. Events must be redacted before [Store.Learn].
//   - An entry is found by its kind and its whole id. No name, and no id of another
//     kind, reaches another entry.
//
// # What it does not promise
//
//   - The lookups do not find what was never seen or was evicted.
//   - Damage of the last frame of a file that was not closed cannot be told from a crash
//     during a write.
//   - The client address of a session is what ZITADEL recorded. For Login V1 that is the
//     leftmost X-Forwarded-For, which the client chooses.
//   - A removal that is delivered again more than [Grace] later finds no name. Time is that
//     of the events: in a log in which nothing happens nothing is forgotten.
//   - If the values of a newer event were evicted, an older event that comes again teaches
//     its older values.
//   - The file holds names and addresses in the clear, also with the option pseudonyms.
//   - Sync sometimes writes the whole file anew, at the speed of the disk.
//
// A Store is used by one goroutine, the one that emits the events. Only the function that
// [Store.BeginSync] returns may run on another one.
package enrich
