// Package scripts installs our scripts for Actions V1 in organizations of ZITADEL:
// post_auth_log, which prints one message for each login attempt into ZITADEL's log, and
// post_auth_webhook, which sends the same message to an endpoint.
//
// # What it promises
//
// It changes what differs and nothing else, so a second run changes nothing, and a run
// that was interrupted is completed by the next one. The order of the steps leaves a
// working flow at every moment: an action is created or changed first, in one request,
// and then put into one flow after the other.
//
// Flows keep their actions in their order, and get ours at the end. Where ours is in a
// flow already, it keeps its place. An action of our name is never touched without Replace
// if its script is not ours, or if somebody has edited it, and never at all if a newer
// version installed it. Remove deletes only actions with our script, edited or not, and our
// name.
//
// No key appears in what it says or in its errors.
//
// # What it does not do
//
// ZITADEL replaces the whole list of a trigger, and cannot be told "only if nobody else
// changed it". The list is therefore read again directly before it is written. A change
// that somebody makes in the same moment, or that ZITADEL's projection does not show yet
// (40 ms, at most 165 ms on a real one at rest; longer under load), is lost. Nobody should
// edit flows during a run. A run ends when ZITADEL shows its changes, so that another run
// may follow at once.
package scripts
