// Package conf holds the Fluent Bit configurations that README points to, so
// that the demo runs the very file that users start from.
package conf

import "embed"

// Files are the configurations, and what they load, by their file names.
//
//go:embed *.yaml *.lua
var Files embed.FS
