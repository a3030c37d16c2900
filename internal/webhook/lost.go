package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"io"
	"net/http"
	"time"
)

// maxUnread bounds what is read of a body that is refused anyway. gRPC limits a request to
// 4 MiB by default. In JSON it becomes a third larger, and a response has the request too.
const maxUnread = 16 << 20

// unreadBuffer is what each body that is refused takes.
const unreadBuffer = 16 << 10

// refuseUnread verifies the signature of a body that is too large, or for which there is no
// memory, by reading the rest without keeping it. The call that it reports is not known, and
// must not be taken for one that was not made. begun is what was read already.
func (e *Endpoint) refuseUnread(r *http.Request, begun []byte, target string, s *signature) {
	if e.OnLost == nil || e.keys == nil || r.ContentLength > maxUnread {
		return
	}
	set, _ := e.keys.Get(lookAgain) // the body can be read only once
	keys, known := set[target]
	if !known {
		keys = noKeys // as fit does
	}
	if s.byUnread(keys, begun, r.Body) && known {
		e.lose(s)
	}
}

// lose reports a verified request of which nothing else is known.
func (e *Endpoint) lose(s *signature) {
	if e.OnLost != nil {
		e.OnLost(time.Unix(s.t, 0))
	}
}

// byUnread is by for a body that is not in memory.
func (s *signature) byUnread(keys [][]byte, begun []byte, rest io.Reader) bool {
	macs := make([]hash.Hash, len(keys))
	all := make([]io.Writer, len(keys))
	for i, key := range keys {
		macs[i] = hmac.New(sha256.New, key)
		all[i] = macs[i]
	}
	w := io.MultiWriter(all...)
	for _, part := range [][]byte{[]byte(s.text), {'.'}, begun} {
		_, _ = w.Write(part) // a hash never fails
	}
	limited := &io.LimitedReader{R: rest, N: maxUnread}
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{limited}, make([]byte, unreadBuffer)); err != nil || limited.N == 0 {
		return false
	}
	good := 0
	for _, mac := range macs {
		good |= s.has(mac)
	}
	return good == 1
}
