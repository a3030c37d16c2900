package webhook

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
)

const (
	// freeBody is what a body may take outside the budget. Events are smaller.
	freeBody = 16 << 10
	// bodiesInMemory is how many bodies of the largest size fit into the budget.
	bodiesInMemory = 32
)

// budget limits the memory of all bodies together. It is taken as bytes arrive, so
// that a request that only announces a large body takes nothing.
type budget struct {
	max, used int64
}

func (b *budget) take(n int64) bool {
	if atomic.AddInt64(&b.used, n) > b.max {
		atomic.AddInt64(&b.used, -n)
		return false
	}
	return true
}

func (b *budget) give(n int64) { atomic.AddInt64(&b.used, -n) }

// readBody reads a body of at most limit bytes. The caller gives taken back to the
// budget when it no longer uses the body. If it is too large, or memory is short, body is
// what was read of it.
func (e *Endpoint) readBody(r *http.Request, limit int64) (body []byte, taken int64, why Reason) {
	if r.ContentLength > limit {
		return nil, 0, TooLarge
	}
	size := int64(freeBody)
	if r.ContentLength >= 0 && r.ContentLength < size {
		size = r.ContentLength + 1 // room for io.EOF to come
	}
	body = make([]byte, 0, size)
	for {
		n, err := r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > limit:
			return body, taken, TooLarge
		case err == io.EOF:
			return body, taken, reasonNone
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, taken, TooSlow
		case err != nil:
			return nil, taken, Broken
		}
		if len(body) < cap(body) {
			continue
		}
		more := min(2*int64(cap(body)), limit+1)
		if !e.budget.take(more) {
			return body, taken, Overloaded
		}
		taken += more
		body = append(make([]byte, 0, more), body...)
	}
}
