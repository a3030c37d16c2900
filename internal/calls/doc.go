// Package calls remembers the API calls that webhooks report, and finds the one that wrote
// an event: ZITADEL's administrative events have no client address, and its calls have one.
//
// # What is known of a call
//
// A request execution is sent before ZITADEL handles a call, a response execution after it
// has handled it without an error. Both name the method, the user and the headers. Both are
// signed with the time of ZITADEL's host, in whole seconds. The response also names the date
// of what it changed: for all but 15 of the methods that write, see TestMostResponsesNameADate.
// That is the creation date of the event, to the microsecond.
//
// # What it promises
//
// An event gets the address of a call only if the call is of the same user, its method can
// write this type of event (writes.txt), and
//
//   - the response names the creation date of the event. It is then the call, or one that
//     changed nothing after it. The event gets no address if a call from another address
//     names the same date, was answered without a date, or, while the event is younger than
//     [Arrival], has no answer.
//   - or no response names it, and exactly one address is left among the calls in flight at
//     that date: those without a response, and those whose response names no date. A call
//     whose response names another date did not write the event. But if it has another
//     address, the event gets none, since a few methods write at two dates. The event must be
//     older than [Arrival], and the requests of these calls received.
//
// A wrong address is not given, however users, calls and events interleave, if
//
//   - the clocks of ZITADEL and its database differ by [Slack] at most,
//   - no call takes longer than [Longest],
//   - a webhook is here within a second after ZITADEL sent it, and none is lost (one that is
//     refused after its signature was verified is not: see [Store.Lost]),
//   - the response is here within a second after the change. Otherwise another call of the
//     user, which changes nothing and names the date of that change, is taken for it,
//   - a user does not write twice in the same microsecond,
//   - every method that writes the type of event is reported (setup --calls does it).
//
// The clock of this machine decides how long calls are kept, and which events are young; 2 s
// by which it differs are allowed for. Where calls may be missing (at the start of the process, and where memory was full) no event gets an address.
//
// # What it does not promise
//
// The address is what the caller's headers say: whoever reaches ZITADEL past its proxy
// chooses it. An organisation is not compared: that of a call is the one that its caller is
// in, and that of an event the owner of what was changed, which may be another one.
//
// Calls are in memory alone. A crash loses them, and costs events their address, not more.
package calls
