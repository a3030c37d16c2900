// Package webhook receives what ZITADEL sends to an endpoint: the executions of
// Actions V2 (events, requests, responses, functions) and the messages of
// post_auth_webhook.js of Actions V1.
//
// # What it promises
//
// The answer 200 means that the message is durable in the spool, or that exactly
// this request was answered with 200 before.
//
// Nothing that is not authenticated gets into a log, a file or a record. Refused
// requests are counted by [Reason], and nothing else about them is kept. Memory,
// connections and time are limited, whoever sends. No panic leaves a request.
//
// The spool holds no secrets: payloads are redacted before they are written, and
// only an allow-list of fields is kept of API calls. [Decode] returns what was
// written.
//
// # Who may send
//
// The first segment of a request's path is the name of a target, and of the file in
// webhook_keys_dir that holds its signing keys (see package keyfile). A mounted
// Kubernetes secret has the form of such a directory. A new target, or a second key
// while ZITADEL changes it, is a change of a file, which is seen without a restart.
// The name is only looked up in memory, so no path can leave the directory.
//
// Notes and backups beside the keys are not targets: a file whose name has a full
// stop or a tilde is ignored, and a file with a line that is not a key is refused as
// a whole. Both are logged. A file that cannot be used keeps its previous keys,
// because a key may be half written. A file that is removed withdraws its keys. A
// target belongs to one instance, the first one that it names.
//
// Every V2 request needs a valid ZITADEL-Signature over its raw body. This includes
// JWT and JWE payloads: they have no time and no audience, so that alone they could
// be replayed forever. Their own signature is verified in addition, with the keys of
// the instance. V1 requests have no signature. They have a secret in a header, which
// is compared with the files in webhook_v1_dir.
//
// A request is accepted once. ZITADEL sends nothing twice, but a proxy may, and an
// eavesdropper may. The same body with the same time gets the answer of the first
// request and is not spooled again; two identical API calls within one second
// therefore count as one. The memory for this is limited: when it is full, the
// oldest second is forgotten, and requests from before it are refused. It ends with
// the process: a request that is replayed within the tolerance after a restart has
// the same id as before, see [Event] and [Execution].
//
// # What it does not do
//
// It does not fill gaps. ZITADEL sends an event at most once, and drops it if the
// answer is late or is not 200. Only the Events API is complete. For a target,
// choose restWebhook or restAsync without interruptOnError: an outage of the
// endpoint then does not stop logins. The answer has no body, because the body
// would replace the request of a restCall.
package webhook
