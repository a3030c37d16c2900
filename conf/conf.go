// Package conf holds the Fluent Bit configurations that README points to. The demo runs
// the same file that users start from.
package conf

import "embed"

// Files are the configurations and the files that they load, by name.
//
//go:embed *.yaml *.lua
var Files embed.FS
