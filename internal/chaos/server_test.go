package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// serverConfig is what the server's process gets in its environment.
type serverConfig struct {
	Log        string
	Token      string
	Seed       uint64
	Generation uint64
	PerSecond  float64
}

const serverConfigVariable = "CHAOS_SERVER"

// serverOrder is one line on the server's standard input.
type serverOrder struct {
	Quiet  bool          `json:",omitempty"` // no more events
	Last   bool          `json:",omitempty"` // one more transaction, after all
	Clock  time.Duration `json:",omitempty"` // the server's clock, not the database's
	Faults orderedFaults `json:",omitzero"`
}

// orderedFaults are those of [zitadeltest.Faults] that pass by themselves once
// they are taken back.
type orderedFaults struct {
	DatabaseDown, Starting, Blocked bool          `json:",omitempty"`
	Latency, PerRow                 time.Duration `json:",omitempty"`
	RateLimit                       float64       `json:",omitempty"`
	CutAnswers, CutAfter            int           `json:",omitempty"`
	MaxMessage                      int           `json:",omitempty"`
}

// serverRole is the fake ZITADEL server with a database on disk. It says where it
// listens, takes orders, and ends with its standard input.
func serverRole() error {
	var c serverConfig
	if err := json.Unmarshal([]byte(os.Getenv(serverConfigVariable)), &c); err != nil {
		return err
	}
	store := zitadeltest.NewStore()
	log, err := openTxLog(c.Log, store)
	if err != nil {
		return err
	}
	var clock atomic.Int64
	server := zitadeltest.NewServer(store, zitadeltest.Options{
		Now: func() time.Time { return time.Now().Add(time.Duration(clock.Load())) },
	})
	server.AddToken(c.Token, zitadeltest.Viewer, time.Time{})
	if err := server.Start("127.0.0.1:0"); err != nil {
		return err
	}
	fmt.Println(server.URL())

	ctx, quiet := context.WithCancel(context.Background())
	defer quiet()
	failed := make(chan error, 1)
	w := &writer{
		log: log, store: store, failed: failed,
		// A few sets of aggregates, so that most go on after a restart.
		shapes: zitadeltest.NewWriter(store, c.Generation%4, nil),
		rand:   rand.New(rand.NewPCG(c.Seed, c.Generation)),
	}
	written := make(chan struct{})
	go func() {
		w.run(ctx, c.PerSecond)
		w.open.Wait()
		close(written)
	}()

	orders := make(chan serverOrder)
	go readOrders(orders)
	for {
		select {
		case err := <-failed:
			return fmt.Errorf("the log: %w", err)
		case o, more := <-orders:
			if !more {
				return errors.New("nobody is there any more")
			}
			if o.Quiet {
				quiet()
				<-written
				fmt.Println("quiet")
			}
			if o.Last {
				w.once()
			}
			clock.Store(int64(o.Clock))
			f := o.Faults
			server.SetFaults(zitadeltest.Faults{
				DatabaseDown: f.DatabaseDown, Starting: f.Starting, Blocked: f.Blocked, Latency: f.Latency, PerRow: f.PerRow,
				RateLimit: f.RateLimit, CutAnswers: f.CutAnswers, CutAfter: f.CutAfter, MaxMessage: f.MaxMessage,
			})
		}
	}
}

func readOrders(orders chan<- serverOrder) {
	defer close(orders)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var o serverOrder
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		orders <- o
	}
}
