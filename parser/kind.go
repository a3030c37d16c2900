package parser

import "strings"

// Kind says what a line is.
type Kind uint8

// The kinds of lines.
const (
	// Other is a line that is no log record of ZITADEL's log store: its own
	// operation (slog, banner, migrations), or another program's.
	Other Kind = iota
	// Malformed is a line that says it is a log record, but that cannot be read as one:
	// cut, damaged, nested too deep, or of a shape that this version does not know.
	Malformed
	// Log is a message that an action printed with zitadel/log.
	Log
	// RunStarted, RunSucceeded and RunFailed frame each run of an action.
	RunStarted
	RunSucceeded
	RunFailed
	// Access is a request that ZITADEL answered.
	Access

	kinds = iota
)

var kindNames = [kinds]string{"other", "malformed", "log", "run_started", "run_succeeded", "run_failed", "access"}

// String is the name of k in options and counters, such as run_failed.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Kinds is a set of kinds.
type Kinds uint8

// AllKinds holds every kind. DefaultKinds leaves out what is not about actions.
const (
	AllKinds     Kinds = 1<<kinds - 1
	DefaultKinds Kinds = 1<<Malformed | 1<<Log | 1<<RunStarted | 1<<RunSucceeded | 1<<RunFailed
)

// Has reports whether k is in s.
func (s Kinds) Has(k Kind) bool { return s>>k&1 == 1 }

// KindNames returns the names of all kinds, in the order of the constants.
func KindNames() []string { return kindNames[:] }

// KindsOf returns the set of the kinds with these names. It passes over names
// that are none, which [KindNames] tells.
func KindsOf(names ...string) (s Kinds) {
	for k, name := range kindNames {
		for _, n := range names {
			if strings.EqualFold(n, name) {
				s |= 1 << k
			}
		}
	}
	return s
}
