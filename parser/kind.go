package parser

import "strings"

// Kind is the kind of a line.
type Kind uint8

// The kinds of lines.
const (
	// Other is a line that ZITADEL's log store did not write: one about ZITADEL's own
	// operation (slog, banner, migrations), or a line of another program.
	Other Kind = iota
	// Malformed is a line of the log store that cannot be parsed: cut, damaged, nested too
	// deep, or in a form that this version does not know.
	Malformed
	// Log is a message that an action printed with zitadel/log.
	Log
	// RunStarted, RunSucceeded and RunFailed are the begin and the end of each run of an
	// action.
	RunStarted
	RunSucceeded
	RunFailed
	// Access is a request that ZITADEL answered, as the access log tells it: with the headers,
	// without the user.
	Access
	// Served is the same as the request log tells it ("request served"): with the user and
	// the duration, without the headers. A [Joiner] puts the two together.
	Served
	// Gateway is a REST request as ZITADEL's gateway tells it: path and status, neither user
	// nor trace id. The gateway makes a gRPC request of it, which has a line of its own.
	Gateway
	// Activity is what a user did: a call of an older API, a session, a token.
	Activity

	kinds = iota
)

var kindNames = [kinds]string{"other", "malformed", "log", "run_started", "run_succeeded", "run_failed", "access", "request", "gateway", "activity"}

// String is the name of k in options and counters, such as run_failed.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Kinds is a set of kinds.
type Kinds uint16

// AllKinds has every kind. DefaultKinds has those about actions, and Malformed.
const (
	AllKinds     Kinds = 1<<kinds - 1
	DefaultKinds Kinds = 1<<Malformed | 1<<Log | 1<<RunStarted | 1<<RunSucceeded | 1<<RunFailed
)

// WithHalves adds Access and Malformed if Served is in s: a [Joiner] needs both halves, and
// must know of lines that cannot be read.
func (s Kinds) WithHalves() Kinds {
	if s.Has(Served) {
		s |= 1<<Access | 1<<Malformed
	}
	return s
}

// Has reports whether k is in s.
func (s Kinds) Has(k Kind) bool { return s>>k&1 == 1 }

// KindNames returns the names of all kinds, in the order of the constants.
func KindNames() []string { return kindNames[:] }

// KindsOf returns the set of the kinds with these names. It ignores other names; see
// [KindNames].
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

// Join says whether a record has both halves of its request: what the access log says
// (address, agent, headers) and what the request log says (user, duration).
type Join uint8

const (
	// NotJoined: no [Joiner] has seen the record.
	NotJoined Join = iota
	// JoinNone: the other half was not seen. The record has one half.
	JoinNone
	// JoinRequestID: both halves have the same request id, which only ZITADEL chooses.
	JoinRequestID
	// JoinTraceID: both halves have the same trace id, and no other request at the same time.
	JoinTraceID
	// JoinOnly: no other access record fits. Each request has one, and all access records of
	// this method that were printed while the request was answered are known.
	JoinOnly
	// JoinShared: another request at the same time has the trace id, so that it proves nothing.
	// The record has one half.
	JoinShared
)

// String is "", "none", "request_id", "trace_id", "only_candidate" or "shared_trace_id".
func (j Join) String() string {
	return [...]string{"", "none", "request_id", "trace_id", "only_candidate", "shared_trace_id"}[j]
}

// Joined reports whether the record has both halves.
func (j Join) Joined() bool { return JoinRequestID <= j && j <= JoinOnly }
