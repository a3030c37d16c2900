package actionsscripts

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Version is the version of both scripts. Every change of a script raises it; a test holds
// that. With it, an older zitadel-siem leaves the script of a newer one alone.
const Version = 2

// A Seal is the line of a script that tells which version it is, and whether it was edited.
type Seal struct {
	Version int
	// Intact is false for an edited script. ENDPOINT and KEY may have any value that is a
	// string in double quotes.
	Intact bool
}

var (
	sealLine = regexp.MustCompile(`(?m)^// zitadel-siem script, version ([0-9]{1,9}), checksum ([0-9a-f]{16})\..*\n?`)
	// settings are the lines that a user sets.
	settings = regexp.MustCompile(`(?m)^(var (?:ENDPOINT|KEY) = )"(?:[^"\\\n]|\\.)*";`)
)

// ReadSeal returns the seal of a script; false if it has none.
func ReadSeal(script string) (Seal, bool) {
	script = unixLines(script)
	m := sealLine.FindStringSubmatch(script)
	if m == nil {
		return Seal{}, false
	}
	version, _ := strconv.Atoi(m[1]) // nine digits
	return Seal{version, m[2] == checksum(version, script)}, true
}

// WithSeal returns the script with the line for this version at its beginning.
func WithSeal(version int, script string) string {
	script = sealLine.ReplaceAllString(script, "")
	return fmt.Sprintf("// zitadel-siem script, version %d, checksum %s. Setup replaces no edited copy.\n", version, checksum(version, script)) + script
}

// checksum is of all but the seal and the settings. 64 bits: it finds edits, it is no
// protection against somebody who wants to hide one.
func checksum(version int, script string) string {
	script = sealLine.ReplaceAllString(script, "")
	script = strings.TrimSpace(settings.ReplaceAllString(script, `$1"";`))
	sum := sha256.Sum256(strconv.AppendInt([]byte(script), int64(version), 10))
	return hex.EncodeToString(sum[:8])
}

// unixLines undoes how a browser may have ended lines.
func unixLines(script string) string { return strings.ReplaceAll(script, "\r\n", "\n") }
