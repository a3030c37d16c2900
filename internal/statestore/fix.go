package statestore

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/etcd"
)

// Fix says what to do about an error of a store; empty if the error says it itself, or if it
// is not known here.
func Fix(err error) string {
	if strings.Contains(err.Error(), "read only connection") { // pgx has no type for it
		return "no host of state takes writes: promote the standby, or start the primary"
	}
	if strings.Contains(err.Error(), "unsupported startup parameter") { // with the SQLSTATE of many others
		return "PgBouncer takes no such parameter: remove it from state (a search_path: ALTER ROLE siem SET search_path = ...)"
	}
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return fixPostgres(refused.Code)
	}
	if away, ok := errors.AsType[*etcd.Unreachable](err); ok {
		return away.Fix()
	}
	_, name := errors.AsType[*net.DNSError](err)
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case name:
		return "correct the host in state, or the DNS of this machine"
	case certificate:
		return "name the authority of the certificate in state (PostgreSQL: sslrootcert=PATH, etcd: ca_file=PATH), and the host as the certificate has it"
	case strings.Contains(err.Error(), "server refused TLS connection"): // pgx has no type for it
		return "switch TLS on in PostgreSQL (ssl = on), or write sslmode=disable into state if the way there is secure"
	case errors.Is(err, rpctypes.ErrAuthFailed):
		return "correct the user in state, or its password"
	case errors.Is(err, rpctypes.ErrUserEmpty):
		return "etcd wants a login: in state, write USER@ before the first host, and ?password_file=PATH at the end"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nobody listens there: start the store, or correct host and port in state"
	case errors.Is(err, context.DeadlineExceeded):
		return "check that the store runs, that host and port in state are right, and that no firewall is between"
	}
	return ""
}

// Explained is a store whose errors say what to do. They are those of the requests that a member
// repeats, and logs.
type Explained struct{ cluster.Store }

// Grant implements [cluster.Store].
func (s Explained) Grant(ctx context.Context, ttl time.Duration, note cluster.Note) (string, error) {
	lease, err := s.Store.Grant(ctx, ttl, note)
	return lease, Explain(err)
}

// Renew implements [cluster.Store].
func (s Explained) Renew(ctx context.Context, lease string, note cluster.Note) error {
	return Explain(s.Store.Renew(ctx, lease, note))
}

// Look implements [cluster.Store].
func (s Explained) Look(ctx context.Context) (cluster.View, error) {
	view, err := s.Store.Look(ctx)
	return view, Explain(err)
}

// fixPostgres knows the SQLSTATE of what a new user meets.
func fixPostgres(code string) string {
	switch code {
	case "28P01":
		return "correct the user in state, or its password (password_file in the URL, PGPASSWORD or PGPASSFILE)"
	case "28000":
		return "let pg_hba.conf of the server admit this user from this address, with TLS if it wants that (sslmode), and with a certificate (sslcert and sslkey)"
	case "3D000":
		return "create the database, owned by the user, or correct its name in state"
	case "42501":
		return "make the user the owner of the tables zitadel_siem_* and of their schema, or of a database of its own"
	case "42704", "22023":
		return "correct the parameters behind the ? in state"
	case "26000", "42P05": // a prepared statement is missing, or is there already
		return "a pooler such as PgBouncer shares connections between transactions: add default_query_exec_mode=cache_describe to the parameters in state"
	case "42P01":
		return "restore the tables zitadel_siem_* from a backup, and the members go on; or restart the members, which then make new ones and read from `start`"
	case "53300":
		return "raise max_connections of the server, or set pool_max_conns in state: a member uses two connections more than that, 10 by default"
	case "57P01", "57P02", "57P03":
		return "the server is being stopped, started or recovered: if that lasts, its log says why"
	case "25006":
		return "name the primary in state: this server is read-only"
	}
	return ""
}
