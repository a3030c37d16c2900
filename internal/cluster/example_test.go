package cluster_test

import (
	"context"
	"fmt"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
)

func ExampleMember() {
	store := clustertest.NewMemory() // or postgres.Open, etcd.Open
	member, err := cluster.New(cluster.Options{Store: store, Name: "siem-0"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error)
	go func() { ended <- member.Run(ctx) }()
	member.Sources([]string{"acme.example"}) // again after each reload

	held, state, err := member.Hold(ctx, "acme.example") // waits
	if err != nil {
		fmt.Println(err) // names the fix; wait a while and call Hold again
		return
	}
	// Read until ctx or held.Done() ends, and commit what the sink has acknowledged.
	state.Instance = "acme.example"
	state.Events++
	if pending, err := held.Prepare(state); err == nil {
		err = pending.Commit() // errors.Is(err, cursor.ErrLost): stop reading
		fmt.Println(state.Events, err)
	}
	_ = held.Close() // then Hold again, unless ctx has ended
	stop()
	fmt.Println(<-ended)
	// Output:
	// 1 <nil>
	// <nil>
}
