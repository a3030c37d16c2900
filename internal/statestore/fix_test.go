package statestore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

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
