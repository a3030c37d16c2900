package conf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// errTooLarge is of a request above the limit of a service.
var errTooLarge = errors.New("too large")

// service is what a real service checks and answers.
type service struct {
	// read checks a request and returns the records in it.
	read func(r *http.Request, body []byte) ([]arrived, error)
	// accept answers a request whose records are stored.
	accept func(w http.ResponseWriter, records int)
	// aside answers requests that carry no records, and says whether this was one.
	aside  func(w http.ResponseWriter, r *http.Request) bool
	change []string                // more changes of the configuration
	env    []string                // more of the environment
	beside map[string]http.Handler // other names that it needs
}

// desk is the receiver of one destination. Until it is open it fails and throttles.
// Then the answer to its first request is lost, the second is throttled, and the third
// is slow.
type desk struct {
	t      *testing.T
	file   string
	plugin string
	late   bool
	path   string // the file, if there is no service
	net    *internet
	place  *place
	service
	wants func(arrived) arrived // what the service keeps of it
	want  map[string]arrived

	open      atomic.Bool
	opened    func()
	refused   atomic.Int32
	afterOpen atomic.Int32 // requests

	large    atomic.Bool // a request that is too large is no failure of the test
	tooLarge atomic.Int32
	bytes    atomic.Int64 // of all requests, unpacked

	mu  sync.Mutex
	got map[string]arrived // by the user
}

func (k *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if k.aside != nil && k.aside(w, r) {
		return
	}
	body := body(k.t, r)
	k.bytes.Add(int64(len(body)))
	records, err := k.read(r, body)
	if errors.Is(err, errTooLarge) && k.large.Load() {
		k.tooLarge.Add(1)
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		k.t.Errorf("%s: %s %s: %v", k.file, r.Method, r.URL, err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if !k.open.Load() {
		status := []int{http.StatusServiceUnavailable, http.StatusTooManyRequests}[(k.refused.Add(1)-1)%2]
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(status)
		return
	}
	switch n := k.afterOpen.Add(1); {
	case n == 1:
		k.store(records)
		panic(http.ErrAbortHandler)
	case k.late: // each request costs it six seconds
	case n == 2:
		w.WriteHeader(http.StatusTooManyRequests)
		return
	case n == 3:
		time.Sleep(300 * time.Millisecond) // a slow service, not a wait
	}
	k.store(records)
	k.accept(w, len(records))
}

func (k *desk) store(records []arrived) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, a := range records {
		k.got[a.user] = a
	}
}

// status accepts with a status and a body.
func status(code int, text string) func(http.ResponseWriter, int) {
	return func(w http.ResponseWriter, _ int) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, text)
	}
}

// strictJSON decodes one object, numbers as they are written, and refuses a key that is
// there twice.
func strictJSON(data []byte) (map[string]any, error) {
	v, err := strictValue(data)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("no object: %.100s", data)
	}
	return m, nil
}

func strictValue(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := nextValue(d)
	if err != nil {
		return nil, fmt.Errorf("%w: %.300s", err, data)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one value: %.300s", data)
	}
	return v, nil
}

func nextValue(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		m := map[string]any{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			name, _ := key.(string)
			if _, twice := m[name]; twice {
				return nil, fmt.Errorf("%q is there twice", name)
			}
			if m[name], err = nextValue(d); err != nil {
				return nil, err
			}
		}
		_, err = d.Token()
		return m, err
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := nextValue(d)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	}
	return token, nil
}

// field is a value below nested keys, as a text; "" where there is none.
func field(m map[string]any, keys ...string) string {
	for i, key := range keys {
		v, ok := m[key]
		if !ok {
			return ""
		}
		if i == len(keys)-1 {
			return fmt.Sprint(v)
		}
		m, _ = v.(map[string]any)
	}
	return ""
}

func ecsArrived(m map[string]any) arrived {
	return arrived{field(m, "event", "id"), field(m, "user", "id"), field(m, "user_agent", "original"), field(m, "zitadel", "actor", "name"), field(m, "event", "sequence")}
}

func ocsfArrived(m map[string]any) arrived {
	return arrived{field(m, "metadata", "uid"), field(m, "user", "uid"), field(m, "http_request", "user_agent"), field(m, "actor", "user", "full_name"), field(m, "metadata", "sequence")}
}
