// Package setup makes ZITADEL send events to our endpoint for webhooks: it
// creates a target and executions (Actions V2), and writes the signing key where
// the endpoint reads it.
//
// # What it promises
//
// It changes what differs from the settings and nothing else. A second run
// therefore changes nothing, and a run that was interrupted is completed by the
// next one. Everything is read before anything is changed. No key appears in its
// output or in its errors.
//
// No other target loses anything. Of the executions that match an event, ZITADEL
// runs only the closest one: an event type comes before a group, a longer group
// before a shorter one, and each of them before all events. Therefore:
//
//   - An existing execution keeps its targets in their order, and gets ours at
//     the end.
//   - A new execution gets ours first, and then the targets that received these
//     events until now.
//   - This order identifies the executions that we created. If one of them has
//     only the targets that it would inherit, it ends when ours is taken out.
//     Executions that others created stay.
//
// The target is asynchronous: nobody who logs in waits for it, and no other
// target does.
//
// # What it does not do
//
// ZITADEL's API has no way to say "only if nobody else changed it": if somebody
// else changes an execution between our reading and our writing of it, their
// change is lost.
package setup
