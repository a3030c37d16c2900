// Package version says which build this is. build.sh sets its variables.
package version

import (
	"fmt"
	"runtime"
	"strings"
)

// Version is the release, or what git describe says.
var Version = "dev"

// Commit is the commit that was built, and Date that commit's date in RFC 3339. They
// are empty in a build that build.sh did not make. It is not the date of the build:
// two builds of a commit must be equal.
var Commit, Date string

// Line is what `zitadel-siem version` prints.
func Line() string {
	var b strings.Builder
	b.WriteString("zitadel-siem " + Version)
	if Commit != "" {
		fmt.Fprintf(&b, " (commit %.12s, %s)", Commit, Date)
	}
	fmt.Fprintf(&b, " %s %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return b.String()
}
