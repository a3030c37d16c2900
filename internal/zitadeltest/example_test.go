package zitadeltest_test

import (
	"context"
	"fmt"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

func Example() {
	store := zitadeltest.NewStore()
	store.Append(zitadeltest.RecordedEvents(time.Time{})...)
	srv := zitadeltest.NewServer(store, zitadeltest.Options{})
	if err := srv.Start("127.0.0.1:0"); err != nil { // dial srv.URL() with srv.Token()
		fmt.Println(err)
		return
	}
	defer srv.Close()

	client, page := srv.Direct(), &adminpb.ListEventsRequest{Asc: true}
	events, err := client.ListEvents(context.Background(), page)
	fmt.Println(len(events), events[0].GetType().GetType(), err)
	fmt.Println(srv.Count("ListEvents").Rows, "rows for a query without bounds")

	srv.Update(func(f *zitadeltest.Faults) { f.Blocked = true })
	_, err = client.ListEvents(context.Background(), page)
	fmt.Println(err)
	// Output:
	// 1000 instance.added <nil>
	// 2881 rows for a query without bounds
	// Errors.Limits.Instance.Blocked (LIMITS-molsj) (ResourceExhausted)
}
