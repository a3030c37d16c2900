package postgres

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
)

// Parse reads postgres://USER@HOST:PORT/DATABASE?…, as libpq does, with these differences:
//
//   - sslmode is verify-full unless the URL (or PGSSLMODE) has another one or every host is on
//     this machine: pgx's own default, prefer, would send the password to anybody.
//   - password_file=PATH reads the password from a file. PGPASSFILE and PGPASSWORD work too.
//   - of several hosts, the one that takes writes is used, whatever their order.
//   - pool_max_conns is 8: more connections do not make commits faster on most servers. Two more
//     are for the lease alone.
//   - a connection attempt ends after 5 s, or 2 s with several hosts, so that a request reaches
//     the second one if the machine of the first one is gone; connect_timeout is another time.
//     [Open] shortens it for several hosts.
//
// Errors do not contain the password.
func Parse(text string) (*pgxpool.Config, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		// Not err: it has the whole URL, with the password.
		return nil, errors.New("state is not a URL as postgres://HOST:5432/DATABASE?password_file=PATH, with USER@ before HOST: percent-encode special characters")
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil { // it has the parameter, perhaps a password
		return nil, errors.New("state: a parameter behind the ? in the URL of PostgreSQL is damaged: percent-encode special characters such as ;")
	}
	if strings.ContainsAny(u.Path, "&=") { // PostgreSQL's errors would show a password there
		return nil, errors.New("state: the name of the database in the URL of PostgreSQL has & or = in it: parameters begin with ?, and further ones with &")
	}
	file := q.Get("password_file")
	q.Del("password_file")
	if q.Get("sslmode") == "" && os.Getenv("PGSSLMODE") == "" {
		mode := "verify-full"
		service := q.Get("service") + os.Getenv("PGSERVICE") // names hosts in a file
		if service == "" && local(u.Host, q.Get("host")) {
			mode = "disable"
		}
		q.Set("sslmode", mode)
	}
	if strings.Contains(u.Host+q.Get("host"), ",") && q.Get("target_session_attrs") == "" {
		q.Set("target_session_attrs", "read-write") // not a standby
	}
	if q.Get("pool_max_conns") == "" {
		q.Set("pool_max_conns", "8")
	}
	secret, _ := u.User.Password()
	if file != "" {
		if secret, err = cluster.Password(file); err != nil {
			return nil, err
		}
		u.User = url.UserPassword(u.User.Username(), secret)
	}
	u.RawQuery = q.Encode()
	config, err := pgxpool.ParseConfig(u.String())
	if err != nil {
		// pgx hides a password that it recognizes; this one certainly.
		return nil, fmt.Errorf("state: the URL of PostgreSQL: %s", redact(err.Error(), secret))
	}
	c := config.ConnConfig
	if c.ConnectTimeout == 0 || q.Get("connect_timeout") == "" && os.Getenv("PGCONNECT_TIMEOUT") == "" {
		c.ConnectTimeout = 5 * time.Second
		if len(hosts(config)) > 1 {
			c.ConnectTimeout = 2 * time.Second
		}
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "zitadel-siem"
	}
	return config, nil
}

// Unverified are the hosts of a URL whose certificate is not verified, or that have none, except on
// this machine: whoever is on the way there can take the host's place, and read the password.
func Unverified(text string) (list []string) {
	config, err := Parse(text)
	if err != nil {
		return nil
	}
	first := config.ConnConfig
	note := func(host string, port uint16, c *tls.Config) {
		// verify-ca verifies in a callback.
		verified := c != nil && (!c.InsecureSkipVerify || c.VerifyPeerCertificate != nil || c.VerifyConnection != nil)
		if name := net.JoinHostPort(host, fmt.Sprint(port)); !verified && !local(host) && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	note(first.Host, first.Port, first.TLSConfig)
	for _, other := range first.Fallbacks {
		note(other.Host, other.Port, other.TLSConfig)
	}
	return list
}

// local tells whether all hosts are sockets or loopback addresses.
func local(hosts ...string) bool {
	some := false
	for _, list := range hosts {
		for host := range strings.SplitSeq(list, ",") {
			if host == "" {
				continue
			}
			some = true
			name := host
			if h, _, err := net.SplitHostPort(host); err == nil {
				name = h
			}
			ip := net.ParseIP(strings.Trim(name, "[]"))
			if name != "localhost" && !strings.HasPrefix(name, "/") && (ip == nil || !ip.IsLoopback()) {
				return false
			}
		}
	}
	if !some {
		// PGHOST, or the default socket.
		env := os.Getenv("PGHOST")
		return env == "" || local(env)
	}
	return true
}

func redact(text, secret string) string {
	if secret == "" {
		return text
	}
	text = strings.ReplaceAll(text, url.QueryEscape(secret), "xxxxx")
	return strings.ReplaceAll(text, secret, "xxxxx")
}

// hosts are those of a URL, in its order.
func hosts(config *pgxpool.Config) (list []string) {
	list = append(list, net.JoinHostPort(config.ConnConfig.Host, fmt.Sprint(config.ConnConfig.Port)))
	for _, other := range config.ConnConfig.Fallbacks {
		host := net.JoinHostPort(other.Host, fmt.Sprint(other.Port))
		if !slices.Contains(list, host) { // it is there again for another way to use TLS
			list = append(list, host)
		}
	}
	return list
}

// hidden is an error without the password, in one line that stays the same while nothing changes.
// Unwrap is for errors.Is and errors.As alone.
type hidden struct {
	text string
	err  error
}

func (h hidden) Error() string { return h.text }
func (h hidden) Unwrap() error { return h.err }

// hide takes the password out of an error.
func hide(config *pgxpool.Config, err error) error {
	if err == nil {
		return nil
	}
	text := strings.ReplaceAll(err.Error(), ":\n\t", ": ") // pgx has a line for each host
	text = cluster.WithoutOwnPort(strings.ReplaceAll(text, "\n\t", "; "))
	return hidden{"PostgreSQL at " + strings.Join(hosts(config), ", ") + ": " + redact(text, config.ConnConfig.Password), err}
}
