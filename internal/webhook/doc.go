// Package webhook receives what ZITADEL sends to an endpoint: the executions of Actions V2
// (events, requests, responses, functions) and the messages of post_auth_webhook.js of Actions V1.
//
// # What it promises
//
// The answer 200 means that what was sent is durable in the spool, or that exactly this request was
// answered so before. Nothing that is not authenticated gets into a log, a file or a record: of
// refused requests there are counters by [Reason], nothing else. Memory, connections and time are
// bounded, whoever sends. No panic leaves a request.
//
// The spool holds no secrets: payloads are redacted before they are written, and of API calls
// only an allow-list of fields is kept. [Decode] gives back what was written.
//
// # Who may send
//
// The first segment of a request's path is the name of a file in [Options.KeysDir], with that
// target's signing keys, one in a line. A directory of named files is what a Kubernetes secret looks
// like when it is mounted; adding a target, or a second key while ZITADEL changes it, is a change of a
// file, seen without a restart. The name is only ever looked up in memory, so that no path leaves
// the directory. Notes and backups beside the keys make no targets: a name with a full stop or a tilde is left
// alone, a file with a line that is no key is refused as a whole, and both are told. A file that
// cannot be used keeps the keys that it had (a key may be half written), a file that is removed takes its
// keys back. A target is of one instance, the first that it names.
//
// Every V2 request needs a good ZITADEL-Signature over its raw body, JWT and JWE payloads too: these have no
// time and no audience, so that alone they could be replayed for ever. Their own
// signature is checked on top, with the keys of the instance. V1 requests have no signature; they
// have a secret in a header, from a file in [Options.V1Dir] of the same form.
//
// A request is accepted once. ZITADEL sends nothing twice, but a proxy may, and so may who listened: the same
// body with the same time gets the answer of the first one and is not spooled again. Two API calls that
// are alike to the byte within one second are one for this reason. The memory of this is bounded:
// when it is full, the oldest second is forgotten and nothing from before it is accepted any more.
// It does not outlive the process: what is replayed within the tolerance after a restart has the same
// id as before, see [Event] and [Execution].
//
// # What it does not do
//
// It does not close holes. ZITADEL sends an event at most once, and drops it when the answer is late or no
// 200: only the Events API is complete. For a target, choose restWebhook or restAsync without
// interruptOnError: an outage here is then none of logins. The answer has no body, since
// for restCall it would replace the request.
package webhook
