// Package detect evaluates Sigma rules on records in ECS form, one JSON object a line, and
// writes alerts.
//
// # What it promises
//
//   - A rule that uses what this package does not know is refused when it is loaded, with
//     file, line and fix. No part of a rule is ignored in silence.
//   - Correlations use the time of the events, not the time of reading, so that a backlog
//     gives the alerts that the live stream would have given. Events may come up to
//     [Lateness] late.
//   - The id of an alert is a hash of the rule's id and of the ids of the events that made
//     it. The same events give the same alert, before and after a restart.
//   - After [State.Sync] has returned nil, a kill forgets nothing that was read before.
//     Sync is called before the reader's own state moves. An event that is read again is
//     not counted again. If it completed an alert, it gives that alert again: the last one
//     of its group, and every one that the sink may not have by [Engine.Settle].
//   - Heartbeats and silences are not read again. Their alerts are kept until
//     [Engine.Sent], and [Engine.Resend] gives them again, see [Engine.Beside].
//   - Memory is bounded by [Options.MaxGroups] and [Options.MaxBytes]. The group that was
//     not used for longest is evicted first, and counted in [Stats.Evicted].
//
// # What it does not promise
//
// An attacker who can write events of more groups than there is room for can make the engine
// forget another group. An attacker who can write more than [maxKept] events of one group
// within the timespan can hide an older event of a temporal rule. Both are counted.
//
// A silence without group-by for which nothing was ever heard always has the same id: there is
// no event that could tell two of them apart.
package detect
