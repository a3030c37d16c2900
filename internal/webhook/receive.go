package webhook

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/fault"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// maxDocument is far above the 1,989 bytes of the script's message.
const maxDocument = 16 << 10

// ServeHTTP answers one request. All answers with one status are equal.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	why := Panicked
	err := fault.Contain(func() error {
		why = e.receive(r)
		return nil
	})
	if f, ok := errors.AsType[*fault.Error](err); ok {
		e.log.Error("webhook: panic in a request", "error", f, "stack", f.Stack)
	}
	e.answer(w, why)
}

func (e *Endpoint) answer(w http.ResponseWriter, why Reason) {
	if why == reasonNone {
		w.WriteHeader(http.StatusOK)
		return
	}
	e.Stats.refused[why].Add(1)
	status := reasonStatus[why]
	h := w.Header()
	// A refused sender gets no second try on this connection, and the rest of the
	// body is not read.
	h.Set("Connection", "close")
	h.Set("Content-Type", "text/plain; charset=utf-8")
	switch status {
	case http.StatusMethodNotAllowed:
		h.Set("Allow", http.MethodPost)
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, http.StatusText(status)+"\n") // fails if the sender is gone
}

// receive checks a request: first what can be refused without reading the body.
func (e *Endpoint) receive(r *http.Request) Reason {
	if r.Method != http.MethodPost {
		return BadMethod
	}
	if !goodMediaType(r.Header) {
		return BadMediaType
	}
	target := strings.TrimPrefix(r.URL.Path, "/")
	target, _, _ = strings.Cut(target, "/")
	if lines := r.Header.Values(SignatureHeader); len(lines) > 0 {
		if len(lines) > 1 {
			return BadHeader
		}
		return e.receiveV2(r, target, lines[0])
	}
	if lines := r.Header.Values(v1Header); len(lines) == 1 {
		return e.receiveV1(r, target, lines[0])
	}
	return NoSignature
}

// goodMediaType accepts JSON and tokens: ZITADEL sends "application/json" for every
// payload type.
func goodMediaType(h http.Header) bool {
	if h.Get("Content-Encoding") != "" {
		return false
	}
	switch h.Get("Content-Type") {
	case "application/json", "application/jwt", "application/jose":
		return true
	}
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset, ok := params["charset"]
	return err == nil && kind == "application/json" && (!ok || strings.EqualFold(charset, "utf-8"))
}

func (e *Endpoint) receiveV2(r *http.Request, target, header string) Reason {
	s, ok := parseSignature(header)
	if !ok {
		return BadHeader
	}
	now := e.now()
	if !s.within(now, tolerance) {
		return BadTime
	}
	body, taken, why := e.readBody(r, maxBody)
	defer e.budget.give(taken)
	if why == TooLarge || why == Overloaded {
		e.refuseUnread(r, body, target, &s)
	}
	if why != reasonNone {
		return why
	}
	if why := e.verify(target, &s, body); why != reasonNone {
		return why
	}
	authenticated(r.Context())
	understood := false
	defer func() { // also after a panic
		if !understood {
			e.lose(&s)
		}
	}()
	why = e.once(r.Context(), &s, body, func(key id) Reason {
		payload, err := e.open(r.Context(), body)
		if errors.Is(err, errKeySet) {
			return NoKeySet
		}
		if err != nil {
			return BadToken
		}
		d := Delivery{Target: target, Received: now, Sent: time.Unix(s.t, 0)}
		reduced, err := reduce(d, key, payload, e.settings.Bodies)
		if err != nil {
			return NotSpooled // an encoder failed
		}
		understood = true
		if !e.pins.fits(target, reduced.instance) {
			return OtherInstance
		}
		if reduced.call != nil && e.OnCall != nil {
			e.OnCall(reduced.call)
		}
		return e.keep(r.Context(), reduced.entry, reduced.unknown)
	})
	understood = understood || why == reasonNone // like an equal request
	return why
}

func (e *Endpoint) verify(target string, s *signature, body []byte) Reason {
	switch fits, known := fit(e.keys, target, func(keys [][]byte) bool { return s.by(keys, body) }); {
	case !known:
		return NoTarget
	case !fits:
		return BadSignature
	}
	return reasonNone
}

// once calls f for the first of several equal requests, and answers the others like it.
func (e *Endpoint) once(ctx context.Context, s *signature, body []byte, f func(id) Reason) (why Reason) {
	key := s.id(body)
	o, first, known := e.replays.begin(s.t, key, e.now(), tolerance)
	switch {
	case !known:
		return Forgotten
	case !first:
		if !o.wait(ctx) {
			return NotSpooled
		}
		e.Stats.Repeated.Add(1)
		return reasonNone
	}
	ok := false
	defer func() { e.replays.end(s.t, key, o, ok) }() // also after a panic
	why = f(key)
	ok = why == reasonNone
	return why
}

// receiveV1 takes a message of post_auth_webhook.js. The secret is checked before the body is read.
func (e *Endpoint) receiveV1(r *http.Request, target, secret string) Reason {
	switch fits, known := fit(e.secrets, target, func(secrets [][]byte) bool { return secretFits(secrets, secret) }); {
	case !known:
		return NoTarget
	case !fits:
		return BadSecret
	}
	body, taken, why := e.readBody(r, maxDocument)
	defer e.budget.give(taken)
	if why != reasonNone {
		return why
	}
	authenticated(r.Context()) // only now: a body may arrive slowly
	d := Delivery{Target: target, Received: e.now()}
	var login parser.Record
	if parser.New(parser.Options{}).ParseDocument(body, &login) {
		return e.keep(r.Context(), parser.AppendDocument(appendHead(kindLogin, &d, id{}), &login), false)
	}
	x := &Execution{Delivery: d, Kind: KindUnknown, Size: len(body)}
	unsigned := signature{text: strconv.FormatInt(d.Received.UnixNano(), 10)} // equal messages may still be two messages
	entry, err := x.entry(unsigned.id(body))
	if err != nil {
		return NotSpooled
	}
	return e.keep(r.Context(), entry, true)
}

// keep returns when the entry is durable. It does not stop when the sender
// disconnects: the message is complete, and ZITADEL sends it only once.
func (e *Endpoint) keep(ctx context.Context, entry []byte, unknown bool) Reason {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), spoolTimeout)
	defer cancel()
	if err := e.spool.Append(ctx, entry); err != nil {
		return NotSpooled
	}
	e.Stats.Accepted.Add(1)
	if unknown {
		e.Stats.Unknown.Add(1)
	}
	return reasonNone
}
