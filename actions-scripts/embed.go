// Package actionsscripts holds the scripts for ZITADEL Actions V1 that report login
// attempts, one compact JSON message each. README.md in this directory says how to
// install them.
//
// An action must have the name of the function in its script, which is the name of the
// file without .js.
//
// Edit the scripts in src; go generate writes the files that users paste.
package actionsscripts

//go:generate go run ./gen

import _ "embed"

// PostAuthLog is the script post_auth_log: it prints the message into ZITADEL's log.
//
//go:embed post_auth_log.js
var PostAuthLog string

// PostAuthWebhook is the script post_auth_webhook: it posts the same message to an
// endpoint. Its variables ENDPOINT and KEY must be set first.
//
//go:embed post_auth_webhook.js
var PostAuthWebhook string
