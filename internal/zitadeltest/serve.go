package zitadeltest

import "time"

// T is what [Serve] needs of testing.TB. The demo links this package, and must not link
// package testing.
type T interface {
	Helper()
	Fatal(args ...any)
	Cleanup(f func())
}

// Serve starts a server on any free port of loopback. It is stopped at the end of the test.
func Serve(t T, store *Store, opts Options) *Server {
	t.Helper()
	return ServeAt(t, "127.0.0.1:0", store, opts)
}

// ServeAt is [Serve] at an address.
func ServeAt(t T, addr string, store *Store, opts Options) *Server {
	t.Helper()
	s := NewServer(store, opts)
	if err := s.Start(addr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// ServeRecorded is [Serve] with the recorded events, as old as they are.
func ServeRecorded(t T, opts Options) *Server {
	t.Helper()
	store := NewStore()
	store.Append(RecordedEvents(time.Time{})...)
	return Serve(t, store, opts)
}
