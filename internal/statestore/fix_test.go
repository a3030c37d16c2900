package statestore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/etcd"
)

// away is a store that refuses connections.
type away struct{ cluster.Store }

func (away) Grant(context.Context, time.Duration, cluster.Note) (string, error) {
	return "", syscall.ECONNREFUSED
}
func (away) Renew(context.Context, string, cluster.Note) error { return syscall.ECONNREFUSED }
func (away) Look(context.Context) (cluster.View, error)        { return cluster.View{}, syscall.ECONNREFUSED }

// A member logs what these requests say.
func TestMemberIsToldTheFix(t *testing.T) {
	store := Explained{away{}}
	_, granting := store.Grant(t.Context(), cluster.MinTTL, cluster.Note{})
	_, looking := store.Look(t.Context())
	for _, err := range []error{granting, store.Renew(t.Context(), "lease", cluster.Note{}), looking} {
		if !errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(err.Error(), "start the store") {
			t.Errorf("%v", err)
		}
	}
}

func TestErrorOfAStoreIsFollowedByItsFix(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&pgconn.PgError{Code: "28P01"}, "password_file"},
		{&pgconn.PgError{Code: "3D000"}, "create the database"},
		{&pgconn.PgError{Code: "42501"}, "owner"},
		{&net.DNSError{Name: "db"}, "correct the host"},
		{syscall.ECONNREFUSED, "nobody listens there"},
		{context.DeadlineExceeded, "firewall"},
		{&pgconn.PgError{Code: "26000"}, "default_query_exec_mode=cache_describe"},
		{&pgconn.PgError{Code: "08P01", Message: "unsupported startup parameter: search_path"}, "PgBouncer"},
		{&pgconn.PgError{Code: "57P03"}, "started"},
		{&etcd.Unreachable{Reason: "dial tcp a:1: connect: connection refused", Err: context.DeadlineExceeded}, "start etcd"},
		{&etcd.Unreachable{Reason: "nobody answers", Err: context.DeadlineExceeded}, "firewall"},
		{&etcd.Unreachable{Err: context.DeadlineExceeded}, "leader"},
	} {
		got := Explain(fmt.Errorf("PostgreSQL at db: %w", c.err))
		if !strings.Contains(got.Error(), c.want) || !errors.Is(got, c.err) {
			t.Errorf("%v", got)
		}
	}
	unknown := errors.New("the disk is on fire; use water")
	if got := Explain(unknown); got != unknown {
		t.Errorf("%v", got)
	}
	if Explain(nil) != nil {
		t.Error("no error became one")
	}
}
