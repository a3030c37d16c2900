// Package detect evaluates Sigma rules on records in ECS form, one JSON object a line, and
// writes alerts.
//
// # What it promises
//
//   - A rule that uses what this package does not know is refused when it is loaded, with
//     file, line and fix. No part of a rule is ignored in silence.
//   - Correlations use the time of the events, not the time of reading, so that a backlog
//     alerts as the live stream would have. Events may come up to [Lateness] late.
//   - The id of an alert is a hash of the rule's id and of the ids of the events that made
//     it. The same events give the same alert, before and after a restart.
//   - After [State.Sync] has returned nil, a kill forgets nothing that was read before.
//     Sync is called before the reader's own state moves. Events that are read again
//     change nothing, but the last event of an alert gives that alert again: of the last
//     alert of a group, and of all that [Engine.Settle] does not say the sink has.
//   - Memory is bounded by [Options.MaxGroups] and [Options.MaxBytes]. The group that was
//     not used for longest goes first, and is counted in [Stats.Evicted].
//
// # What it does not promise
//
// An attacker who can write events for more groups than there is room for can push another
// group out. One who can write more than [maxKept] events of a group within the timespan
// can hide an older event of a temporal rule. Both are counted.
package detect
