package cluster

import "regexp"

// ownPort is this side of a connection, in the error of a read or a write.
var ownPort = regexp.MustCompile(`\S+:\d+->`)

// WithoutOwnPort takes out of the text of an error what differs with each connection: a log shows a
// text that stays the same once. It is for packages that implement [Store].
func WithoutOwnPort(text string) string { return ownPort.ReplaceAllString(text, "") }
