package webhook

import (
	"bytes"
	"log/slog"
	"sync/atomic"
)

// Reason says why a request was refused.
type Reason uint8

// The reasons, with the status of the answer.
const (
	reasonNone    Reason = iota
	NoTarget             // 401: no key file has the name in the path
	NoSignature          // 401: no ZITADEL-Signature, and no secret for V1
	BadHeader            // 401: a ZITADEL-Signature of another form
	BadTime              // 401: older, or newer, than the tolerance
	BadSignature         // 401: no key fits
	BadSecret            // 401: V1, no secret fits
	BadToken             // 401: a JWT or JWE that does not verify
	Forgotten            // 401: older than the replay memory
	OtherInstance        // 401: from another instance than the target's
	BadMethod            // 405
	TooLarge             // 413
	BadMediaType         // 415
	TooSlow              // 408
	Broken               // 400: the body ended early
	Overloaded           // 503: too many bodies in memory
	NotSpooled           // 503: the spool is full or the disk fails
	NoKeySet             // 503: the instance's keys cannot be fetched
	Panicked             // 500
	reasons       int    = iota
)

var reasonNames = [reasons]string{"", "no_target", "no_signature", "bad_header", "bad_time", "bad_signature", "bad_secret", "bad_token", "forgotten", "other_instance",
	"bad_method", "too_large", "bad_media_type", "too_slow", "broken", "overloaded", "not_spooled", "no_key_set", "panic"}

var reasonStatus = [reasons]int{200, 401, 401, 401, 401, 401, 401, 401, 401, 401, 405, 413, 415, 408, 400, 503, 503, 503, 500}

// String is the reason's name in logs and metrics.
func (r Reason) String() string {
	if int(r) < reasons {
		return reasonNames[r]
	}
	return "unknown"
}

// Reasons returns all reasons.
func Reasons() (all []Reason) {
	for r := range reasons - 1 {
		all = append(all, Reason(r+1))
	}
	return all
}

// Stats counts since New.
type Stats struct {
	Accepted atomic.Uint64 // requests that are in the spool
	Repeated atomic.Uint64 // requests that were answered like an equal one before
	Unknown  atomic.Uint64 // of Accepted, those whose payload has an unknown form
	refused  [reasons]atomic.Uint64
	broken   atomic.Uint64 // connections that net/http gave up, a failed handshake for example
}

// Refused is how many requests were refused for this reason.
func (s *Stats) Refused(r Reason) uint64 {
	if int(r) >= reasons {
		return 0
	}
	return s.refused[r].Load()
}

// reported holds the counts of refusals that were logged.
type reported struct {
	refused [reasons]uint64
	broken  uint64
}

// log logs the refusals since the last call.
func (t *reported) log(log *slog.Logger, s *Stats) {
	var attrs []any
	for r := range reasons {
		if n := s.refused[r].Load(); n > t.refused[r] {
			attrs = append(attrs, Reason(r).String(), n-t.refused[r])
			t.refused[r] = n
		}
	}
	if n := s.broken.Load(); n > t.broken {
		attrs = append(attrs, "connections", n-t.broken)
		t.broken = n
	}
	if len(attrs) > 0 {
		log.Warn("webhook requests were refused", attrs...)
	}
}

// silent is the writer of net/http's own log. It drops the lines, because they contain
// addresses and text of unauthenticated senders.
type silent struct{ n *atomic.Uint64 }

func (s silent) Write(p []byte) (int, error) {
	if !bytes.HasSuffix(p, []byte(": EOF\n")) { // a load balancer's probe connects and closes
		s.n.Add(1)
	}
	return len(p), nil
}
