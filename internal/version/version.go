// Package version holds the version of this build.
package version

// Version is set by build.sh.
var Version = "dev"
