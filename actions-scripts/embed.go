// Package actionsscripts holds the scripts for ZITADEL Actions V1 that report login
// attempts, one compact JSON message each. README.md beside it says how to install them.
//
// The name of an action has to be the name of the function in its script, which is the
// name of the file without .js.
package actionsscripts

import _ "embed"

// PostAuthLog is the script post_auth_log: it prints the message into ZITADEL's log.
//
//go:embed post_auth_log.js
var PostAuthLog string

// PostAuthWebhook is the script post_auth_webhook: it posts the same message to an
// endpoint. Its variables ENDPOINT and KEY have to be set first.
//
//go:embed post_auth_webhook.js
var PostAuthWebhook string
