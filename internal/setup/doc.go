// Package setup has ZITADEL send events to our endpoint for webhooks: it makes
// a target and executions (Actions V2), and puts the signing key where the
// endpoint reads it.
//
// # What it promises
//
// It changes what differs from the settings and nothing else, so that a second
// run does nothing, and one that was interrupted is mended by the next.
// Everything is looked at before anything is changed. No key is in anything it
// says or in any of its errors.
//
// No other target loses anything. Of the executions that fit an event ZITADEL
// runs the closest alone (an event type beats a group, the longer group the
// shorter, and each of them all events). So an execution that is there keeps
// its targets, in their order, and gets ours behind them; a new one gets ours first, and
// behind it the targets that had these events until then. That order is also how
// our own executions are known again: one that has nothing but what it would inherit
// ends when ours is taken out of it, one that others made stays.
//
// The target is asynchronous: nobody who logs in waits for it, and no other target does.
//
// # What it does not do
//
// ZITADEL's API has no way to say "only if nobody else changed it": a change of
// an execution by somebody else between its reading and its setting is lost.
package setup
