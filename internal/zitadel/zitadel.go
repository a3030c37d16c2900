// Package zitadel asks ZITADEL's AdminService for events, over gRPC or REST.
//
// Both transports take and give the same generated types and fail with the same
// [Error], so that a caller cannot tell them apart. A [Client] asks once and
// says what came of it: when to ask again is the caller's choice, for which
// [Class] is made.
package zitadel

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
)

// Class says what the caller can do about an error.
type Class int

const (
	// Retry: the other side is away or unwell; ask again after a backoff.
	Retry Class = iota + 1
	// Throttled: quota or rate limit; wait longer, at least RetryAfter.
	Throttled
	// Stop: asking again cannot help until somebody mends what Mend says.
	Stop
	// TooLarge: the page is over a message limit; ask for fewer events.
	TooLarge
	// Undecodable: ZITADEL itself cannot decode an event of this page.
	Undecodable
)

// String is the class as logs and metrics name it.
func (c Class) String() string {
	switch c {
	case Retry:
		return "retry"
	case Throttled:
		return "throttled"
	case Stop:
		return "stop"
	case TooLarge:
		return "too large"
	case Undecodable:
		return "undecodable"
	}
	return fmt.Sprintf("Class(%d)", int(c))
}

// Error is an answer that is no page.
type Error struct {
	Class      Class
	Code       codes.Code
	HTTPStatus int           // 0 over gRPC
	URL        string        // scheme and host that were asked
	Message    string        // what ZITADEL said, without secrets, bounded
	Mend       string        // what the user can do; empty where waiting is all
	RetryAfter time.Duration // 0 where ZITADEL gave none
	Err        error         // cause, may be nil

	refused bool // ZITADEL itself refused the token; another one may do
}

// Error is one line: who was asked, what happened, and the mend.
func (e *Error) Error() string {
	var b strings.Builder
	if e.URL != "" {
		b.WriteString(e.URL)
		b.WriteString(": ")
	}
	b.WriteString(e.Message)
	fmt.Fprintf(&b, " (%s", e.Code)
	if e.HTTPStatus != 0 {
		fmt.Fprintf(&b, ", HTTP %d", e.HTTPStatus)
		if name := http.StatusText(e.HTTPStatus); name != "" {
			b.WriteString(" " + name)
		}
	}
	b.WriteString(")")
	if e.Mend != "" {
		b.WriteString(": ")
		b.WriteString(e.Mend)
	}
	return b.String()
}

// Unwrap is the cause, where one is known and its text holds no secret.
func (e *Error) Unwrap() error { return e.Err }
