// Package postgres keeps the states of a cluster in PostgreSQL 12 or newer.
//
// The tables zitadel_siem_store, _member and _source and the sequence zitadel_siem_beat are
// created at the first start, in the first schema of the user's search_path (search_path in
// the URL chooses another). The user needs CONNECT on the database, and USAGE and CREATE on
// the schema; CREATE may be revoked once the tables are there, since the user owns them. It
// needs nothing of ZITADEL's own tables: give it a database of its own.
//
// A lease is a row of zitadel_siem_member. It ends when a member deletes the row after its
// time, by the clock of the server; the foreign key then frees the sources. Row locks thus
// order the end of a lease, its renewal and a take. After a start of the server no lease
// ends before its members had a whole one to come back.
package postgres

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

// layout is the version of the tables. A newer program may write a higher one.
const layout = 1

// schemaLock is the key of the advisory lock for the creation: "zitasiem" in ASCII.
const schemaLock = 0x7a6974617369656d

const schema = `
CREATE TABLE IF NOT EXISTS zitadel_siem_store (
	one bool PRIMARY KEY DEFAULT true CHECK (one),
	layout int NOT NULL,
	name text NOT NULL,
	alive timestamptz,
	refused text NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS zitadel_siem_member (
	lease text PRIMARY KEY,
	ttl interval NOT NULL,
	expires timestamptz NOT NULL,
	note text NOT NULL
);
CREATE TABLE IF NOT EXISTS zitadel_siem_source (
	instance text PRIMARY KEY,
	holder text REFERENCES zitadel_siem_member ON DELETE SET NULL,
	fence bigint NOT NULL DEFAULT 0,
	number bigint NOT NULL DEFAULT 0,
	committed timestamptz,
	state bytea
) WITH (fillfactor = 50);
CREATE INDEX IF NOT EXISTS zitadel_siem_source_holder ON zitadel_siem_source (holder, instance);
CREATE SEQUENCE IF NOT EXISTS zitadel_siem_beat;
`

// leaseConns: one renews, one looks. Two more take their place while those wait for a server that does
// not answer any more ([part]): with a short lease, the standby is to be used before they are given up.
const leaseConns = 4

// Store is a [cluster.Store] in PostgreSQL.
type Store struct {
	pool *pgxpool.Pool
	// leases is for the requests on which the lease depends: commits that wait for a lock or a
	// slow disk can occupy the whole of pool, and the lease would end behind them.
	leases *pgxpool.Pool
	config *pgxpool.Config // for errors
}

var _ cluster.Store = (*Store)(nil)

// Open connects to a URL of [Parse] and creates the tables if they are missing.
func Open(ctx context.Context, url string) (*Store, error) {
	config, err := Parse(url)
	if err != nil {
		return nil, err
	}
	wait := reachAll(ctx, config)
	known := timelines{newest: map[string]int64{}}
	known.survey(ctx, config, wait)
	known.guard(config) // and the copy of it below
	part(config)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, hide(config, err)
	}
	few := config.Copy()
	few.MaxConns, few.MinConns, few.MinIdleConns = leaseConns, 0, 0
	leases, err := pgxpool.NewWithConfig(ctx, few)
	if err != nil {
		pool.Close()
		return nil, hide(config, err)
	}
	s := &Store{pool: pool, leases: leases, config: config}
	if err := s.create(ctx); err != nil {
		s.Close()
		return nil, hide(config, err)
	}
	return s, nil
}

// reachAll lets a request as long as this one reach every host, also if those before do not answer. It
// returns how long one is waited for. A member gives a request a third of its lease.
func reachAll(ctx context.Context, config *pgxpool.Config) time.Duration {
	c, n := config.ConnConfig, len(hosts(config))
	if end, ok := ctx.Deadline(); ok && n > 1 {
		// A share for the survey, one for each host, and one for the request itself.
		c.ConnectTimeout = min(c.ConnectTimeout, time.Until(end)/time.Duration(n+2))
	}
	return c.ConnectTimeout
}

func (s *Store) create(ctx context.Context) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(schemaLock)); err != nil {
			return err
		}
		var exists bool
		if err := tx.QueryRow(ctx, `SELECT to_regclass('zitadel_siem_store') IS NOT NULL`).Scan(&exists); err != nil {
			return err
		}
		if !exists { // a user without CREATE can still use tables that are there
			if _, err := tx.Exec(ctx, schema); err != nil {
				return fmt.Errorf("the tables cannot be created (grant CREATE on the schema, or create a database that the user owns): %w", err)
			}
			if _, err := tx.Exec(ctx, `INSERT INTO zitadel_siem_store (layout, name) VALUES ($1, $2)`, layout, rand.Text()); err != nil {
				return err
			}
		}
		var found int
		if err := tx.QueryRow(ctx, `SELECT layout FROM zitadel_siem_store`).Scan(&found); err != nil {
			if errors.Is(err, pgx.ErrNoRows) {
				return errors.New("zitadel_siem_store is empty: restore it from a backup, or drop the tables zitadel_siem_* to start over")
			}
			return fmt.Errorf("zitadel_siem_store cannot be read: %w", err)
		}
		if found != layout {
			return fmt.Errorf("the tables zitadel_siem_* have layout %d, this program knows %d: use the newer program", found, layout)
		}
		return nil
	})
}

// Close closes the connections.
func (s *Store) Close() {
	s.pool.Close()
	s.leases.Close()
}

// Grant: see [cluster.Store].
func (s *Store) Grant(ctx context.Context, ttl time.Duration, note cluster.Note) (string, error) {
	lease := rand.Text()
	text, err := json.Marshal(note)
	if err != nil {
		return "", err
	}
	_, err = s.leases.Exec(ctx, `INSERT INTO zitadel_siem_member (lease, ttl, expires, note)
		VALUES ($1, $2::interval, clock_timestamp() + $2::interval, $3)`, lease, ttl, string(text))
	return lease, s.hide(err)
}

// Renew: see [cluster.Store]. A lease that nobody has ended yet has moved no source: it may be late.
func (s *Store) Renew(ctx context.Context, lease string, note cluster.Note) error {
	text, err := json.Marshal(note)
	if err != nil {
		return err
	}
	tag, err := s.leases.Exec(ctx, `UPDATE zitadel_siem_member
		SET expires = clock_timestamp() + ttl, note = $2 WHERE lease = $1`, lease, string(text))
	if err != nil {
		return s.hide(err)
	}
	if tag.RowsAffected() == 0 {
		return cluster.ErrExpired
	}
	return nil
}

// Revoke: see [cluster.Store].
func (s *Store) Revoke(ctx context.Context, lease string) error {
	_, err := s.leases.Exec(ctx, `DELETE FROM zitadel_siem_member WHERE lease = $1`, lease)
	return s.hide(err)
}

// Register: see [cluster.Store].
func (s *Store) Register(ctx context.Context, instances []string) error {
	_, err := s.pool.Exec(ctx, `INSERT INTO zitadel_siem_source (instance)
		SELECT DISTINCT unnest($1::text[]) ORDER BY 1 ON CONFLICT DO NOTHING`, instances)
	return s.hide(err)
}

// reap ends the leases whose time is over. A server that has just started waits for one ttl; a
// start in the future means that the clock was set back since, and says nothing.
const reap = `DELETE FROM zitadel_siem_member WHERE lease IN (
	SELECT lease FROM zitadel_siem_member WHERE expires < clock_timestamp()
	AND pg_postmaster_start_time() NOT BETWEEN clock_timestamp() - ttl AND clock_timestamp()
	ORDER BY lease FOR UPDATE SKIP LOCKED)`

// shorten ends a lease at the latest one ttl after the clock of the server was set back.
const shorten = `UPDATE zitadel_siem_member SET expires = clock_timestamp() + ttl WHERE lease IN (
	SELECT lease FROM zitadel_siem_member WHERE expires > clock_timestamp() + ttl
	ORDER BY lease FOR UPDATE SKIP LOCKED)`

// since is SQL for the microseconds since a time; zero if it is NULL.
func since(column string) string {
	return `coalesce(extract(epoch FROM clock_timestamp() - ` + column + `) * 1000000, 0)::bigint`
}

// noted is SQL for View.Noted.
const noted = `coalesce(extract(epoch FROM alive) * 1000000, 0)::bigint`

// Look ends the leases whose time is over, and reads.
func (s *Store) Look(ctx context.Context) (cluster.View, error) {
	v := cluster.View{}
	batch := &pgx.Batch{}
	batch.Queue(shorten)
	batch.Queue(reap)
	batch.Queue(`SELECT name, nextval('zitadel_siem_beat'), ` + noted + `, ` + since("alive") + `, refused
		FROM zitadel_siem_store`).QueryRow(func(row pgx.Row) error {
		var beat, idle int64
		err := row.Scan(&v.Store, &beat, &v.Noted, &idle, &v.Refused)
		v.Beat, v.Idle = uint64(beat), time.Duration(idle)*time.Microsecond
		return err
	})
	batch.Queue(`SELECT lease, note, (SELECT count(*) FROM zitadel_siem_source WHERE holder = lease)
		FROM zitadel_siem_member`).Query(func(rows pgx.Rows) error {
		var m cluster.MemberView
		var note string
		_, err := pgx.ForEachRow(rows, []any{&m.Lease, &note, &m.Held}, func() error {
			m.Note = cluster.Note{}
			if err := json.Unmarshal([]byte(note), &m.Note); err != nil {
				return fmt.Errorf("the note of lease %s in zitadel_siem_member is damaged; delete the row: %w", m.Lease, err)
			}
			v.Members = append(v.Members, m)
			return nil
		})
		return err
	})
	batch.Queue(`SELECT instance FROM zitadel_siem_source WHERE holder IS NULL`).Query(func(rows pgx.Rows) (err error) {
		v.Free, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return v, s.hide(s.leases.SendBatch(ctx, batch).Close())
}

// Holders: see [cluster.Store].
func (s *Store) Holders(ctx context.Context) (map[string]string, error) {
	rows, err := s.pool.Query(ctx, `SELECT instance, holder FROM zitadel_siem_source WHERE holder IS NOT NULL`)
	if err != nil {
		return nil, s.hide(err)
	}
	out := map[string]string{}
	var instance, holder string
	_, err = pgx.ForEachRow(rows, []any{&instance, &holder}, func() error {
		out[instance] = holder
		return nil
	})
	return out, s.hide(err)
}

// foreignKeyViolation is the SQLSTATE of a holder that is no member.
const foreignKeyViolation = "23503"

// Take: see [cluster.Store].
func (s *Store) Take(ctx context.Context, lease, instance string) (cluster.Taken, error) {
	var t cluster.Taken
	var fence, number, age int64
	err := s.pool.QueryRow(ctx, `UPDATE zitadel_siem_source SET holder = $1, fence = fence + 1
		WHERE instance = $2 AND (holder IS NULL OR holder = $1)
		RETURNING fence, number, state, `+since("committed"), lease, instance).Scan(&fence, &number, &t.State, &age)
	var broken *pgconn.PgError
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return t, cluster.ErrTaken
	case errors.As(err, &broken) && broken.Code == foreignKeyViolation:
		return t, cluster.ErrExpired
	case err != nil:
		return t, s.hide(err)
	}
	t.Fence, t.Number, t.Age = uint64(fence), uint64(number), time.Duration(age)*time.Microsecond
	return t, nil
}

// Commit: see [cluster.Store].
func (s *Store) Commit(ctx context.Context, lease, instance string, fence, number uint64, state []byte) error {
	tag, err := s.pool.Exec(ctx, `UPDATE zitadel_siem_source SET state = $5, number = $4, committed = clock_timestamp()
		WHERE instance = $2 AND holder = $1 AND fence = $3 AND number < $4`, lease, instance, int64(fence), int64(number), state)
	if err != nil {
		return s.hide(err)
	}
	if tag.RowsAffected() == 1 {
		return nil
	}
	var later bool
	err = s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM zitadel_siem_source
		WHERE instance = $2 AND holder = $1 AND fence = $3 AND number >= $4)`, lease, instance, int64(fence), int64(number)).Scan(&later)
	if err == nil && !later {
		return cursor.ErrLost
	}
	return s.hide(err)
}

// Release: see [cluster.Store].
func (s *Store) Release(ctx context.Context, lease, instance string, fence uint64) error {
	_, err := s.pool.Exec(ctx, `UPDATE zitadel_siem_source SET holder = NULL
		WHERE instance = $2 AND holder = $1 AND ($3::bigint = 0 OR fence = $3::bigint)`, lease, instance, int64(fence))
	return s.hide(err)
}

// Alive: see [cluster.Store].
func (s *Store) Alive(ctx context.Context, v cluster.View) error {
	_, err := s.leases.Exec(ctx, `UPDATE zitadel_siem_store SET alive = clock_timestamp() WHERE `+noted+` = $1`, v.Noted)
	return s.hide(err)
}

// Accept: see [cluster.Store].
func (s *Store) Accept(ctx context.Context) error {
	_, err := s.leases.Exec(ctx, `UPDATE zitadel_siem_store SET alive = clock_timestamp(), refused = ''`)
	return s.hide(err)
}

// Refuse: see [cluster.Store].
func (s *Store) Refuse(ctx context.Context, why string) error {
	_, err := s.leases.Exec(ctx, `UPDATE zitadel_siem_store SET refused = $1`, why)
	return s.hide(err)
}

func (s *Store) hide(err error) error { return hide(s.config, err) }
