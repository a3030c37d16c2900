package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A standby that is promoted begins a new timeline of the same database system. If the old primary
// comes back, and is not made a standby, two servers of a URL take writes, and nothing in the
// tables tells them apart. So a process that has used the newer timeline uses the older one no more:
// it would find the states, leases and holders of before the failover there.
//
// A process that starts asks every host. While it reaches the old primary alone, it cannot know that
// there is a newer timeline.

// timeline is that of one server. Its zero value is unknown.
type timeline struct {
	system string
	number int64
}

// askTimeline works for any user, of a server that is no standby.
const askTimeline = `SELECT (SELECT system_identifier FROM pg_control_system()),
	('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint`

// timelines are the newest that a process has used.
type timelines struct {
	mu     sync.Mutex
	newest map[string]int64 // by system
}

// use notes a timeline, or refuses it.
func (s *timelines) use(t timeline) error {
	if t.system == "" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if newest := s.newest[t.system]; t.number < newest {
		return fmt.Errorf("an old primary came back: it has timeline %d, and this process has used timeline %d: stop it, or make it a standby; to go back to it, restart the members", t.number, newest)
	}
	s.newest[t.system] = t.number
	return nil
}

// guard keeps the connections of a pool from old primaries. A URL of one host has no choice: there
// the members judge what they find (package cluster).
func (s *timelines) guard(config *pgxpool.Config) {
	if len(hosts(config)) < 2 {
		return
	}
	const key = "timeline" // of a connection
	before := config.ConnConfig.ValidateConnect
	config.ConnConfig.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if before != nil {
			if err := before(ctx, conn); err != nil {
				return err
			}
		}
		t, err := timelineOf(ctx, conn)
		if err != nil {
			return err
		}
		conn.CustomData()[key] = t
		return s.use(t)
	}
	config.PrepareConn = func(_ context.Context, conn *pgx.Conn) (bool, error) {
		t, _ := conn.PgConn().CustomData()[key].(timeline)
		return s.use(t) == nil, nil // another connection is taken
	}
}

// survey notes the timelines of all hosts that answer in time.
func (s *timelines) survey(ctx context.Context, config *pgxpool.Config, within time.Duration) {
	if len(hosts(config)) < 2 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	first := config.ConnConfig
	ways := append([]*pgconn.FallbackConfig{{Host: first.Host, Port: first.Port, TLSConfig: first.TLSConfig}}, first.Fallbacks...)
	var all sync.WaitGroup
	for _, way := range ways {
		one := first.Copy()
		one.Host, one.Port, one.TLSConfig, one.Fallbacks, one.ValidateConnect = way.Host, way.Port, way.TLSConfig, nil, nil
		all.Go(func() {
			conn, err := pgconn.ConnectConfig(ctx, &one.Config)
			if err != nil {
				return // who uses the host is told
			}
			defer conn.Close(ctx)
			if t, err := timelineOf(ctx, conn); err == nil { // a standby does not tell
				_ = s.use(t)
			}
		})
	}
	all.Wait()
}

// timelineOf is unknown if the server does not tell, as some services.
func timelineOf(ctx context.Context, conn *pgconn.PgConn) (t timeline, err error) {
	results, err := conn.Exec(ctx, askTimeline).ReadAll()
	if _, refused := errors.AsType[*pgconn.PgError](err); refused {
		return t, nil
	}
	if err != nil || len(results) != 1 || len(results[0].Rows) != 1 {
		return t, err
	}
	row := results[0].Rows[0]
	if _, err := fmt.Sscan(string(row[1]), &t.number); err != nil {
		return t, err
	}
	t.system = string(row[0])
	return t, nil
}
