// Command server is the test server with the recorded events: server ADDRESS TOKEN-FILE
// COUNT-FILE. It writes its token, and then how many events it has.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	select {}
}

func run(address, token, count string) error {
	store := zitadeltest.NewStore()
	store.Append(zitadeltest.RecordedEvents(time.Time{})...)
	server := zitadeltest.NewServer(store, zitadeltest.Options{})
	if err := server.Start(address); err != nil {
		return err
	}
	if err := os.WriteFile(token, []byte(server.Token()+"\n"), 0o600); err != nil {
		return err
	}
	return os.WriteFile(count, fmt.Append(nil, store.Len()), 0o600)
}
