// Package zitadel asks ZITADEL's AdminService for events, over gRPC or REST.
//
// Both transports use the same generated types and fail with the same [Error],
// so that callers do not depend on the transport. A [Client] asks once. When to
// ask again is the caller's decision, which the [Class] of the error supports.
package zitadel

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
)

// Class is what the caller can do about an error.
type Class int

const (
	// Retry: the server is unreachable or unhealthy; ask again after a backoff.
	Retry Class = iota + 1
	// Throttled: quota or rate limit; wait longer, at least RetryAfter.
	Throttled
	// Stop: asking again cannot help until somebody does what Fix says.
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
	Fix        string        // what the user can do; empty if waiting is enough
	RetryAfter time.Duration // 0 where ZITADEL gave none
	Err        error         // cause, may be nil

	refused bool // ZITADEL itself refused the token; another one may do
}

// Error returns one line: who was asked, what happened, and the fix.
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
	if e.Fix != "" {
		b.WriteString(": ")
		b.WriteString(e.Fix)
	}
	return b.String()
}

// Unwrap returns the cause, if it is known and its text holds no secret.
func (e *Error) Unwrap() error { return e.Err }
