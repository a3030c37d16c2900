// Package zitadeltest is a fake ZITADEL server for tests, benchmarks and the demo.
//
// It answers the gRPC service zitadel.admin.v1.AdminService (ListEvents,
// ListEventTypes, ListAggregateTypes), the same three over REST, and the token
// endpoint, all on one listener, as a recorded ZITADEL did. The contract test of
// this package replays the recordings against it.
//
//	store := zitadeltest.NewStore()
//	store.Append(zitadeltest.RecordedEvents(time.Now())...) // 2,881 real events, the newest now
//	srv := zitadeltest.NewServer(store, zitadeltest.Options{})
//	if err := srv.Start("127.0.0.1:0"); err != nil { ... }
//	defer srv.Close()
//	dial(srv.URL(), srv.Token())                                      // gRPC or REST
//	srv.Update(func(f *zitadeltest.Faults) { f.DatabaseDown = true }) // any time
//	tx := store.Begin(time.Now())     // creation date fixed; readers do not wait yet
//	tx.Push(zitadeltest.Event{...})   // from here readers wait
//	tx.Commit()                       // visible, with the creation date of Begin
//	srv.Count("ListEvents").Rows      // rows that a real database would have read
//
// A test calls [Serve] or [ServeRecorded], which start a server until its end.
//
// [Store.Fill] makes logs of a million events, [Writer] one that keeps growing.
//
// [Server.Actions] are targets and executions of Actions V2, over both transports, for
// tests that set them up. They follow recorded answers (creation) or else ZITADEL's source.
// Nothing is sent to a target.
//
// [Server.Direct] asks the same implementation in process, without a listener
// and without goroutines of its own, so that it works in testing/synctest.
//
// The package imports internal/zitadel for its Error type: tests of that
// package that need the fake server must be in package zitadel_test.
//
// # What is the same
//
// Order, limits, exclusive bounds, filters, validation, retention, error codes
// and bodies, response headers, localisation into English, the wait for open
// transactions, and the two events that every issued token writes.
//
// # What differs
//
// Editor names are stored with the event, not resolved when asked. Other
// languages than English hold only the names that were recorded; the rest falls
// back to English. A quota is a counter. A rate limit answers as a proxy would: the
// recorded server has none, ZITADEL Cloud does.
package zitadeltest
