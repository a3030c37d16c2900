package etcd

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/zitadel-siem/zitadel-siem/internal/certs"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
)

// Parse reads etcd://[USER[:PASSWORD]@]HOST:2379,HOST:2379/PREFIX?… and returns the prefix with
// a slash at its end. The default prefix is /zitadel-siem/. Parameters:
//
//	password_file  the password; ETCD_PASSWORD works too
//	ca_file        PEM of authorities beside those of the system
//	cert_file, key_file  the certificate of this client
//	tls=off        no TLS. Without it, TLS is verified, except if every host is on this machine
//	               and none of the files is given
//
// Errors do not contain the password.
func Parse(text string) (clientv3.Config, string, error) {
	var c clientv3.Config
	scheme, rest, _ := strings.Cut(text, "://")
	if scheme != "etcd" {
		return c, "", errShape
	}
	// net/url takes one host: the list is parsed here.
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	if strings.Contains(rest[end:], "@") { // a password with a slash that is not encoded
		return c, "", errShape
	}
	user, hosts := "", rest[:end]
	if i := strings.LastIndex(hosts, "@"); i >= 0 {
		user, hosts = hosts[:i+1], hosts[i+1:]
	}
	u, err := url.Parse("etcd://" + user + "host" + rest[end:])
	if err != nil { // it has the password
		return c, "", errShape
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return c, "", errors.New("state: a parameter behind the ? in the URL of etcd is damaged: percent-encode special characters such as ;")
	}
	for name := range q {
		switch name {
		case "password_file", "ca_file", "cert_file", "key_file", "tls":
		default:
			return c, "", fmt.Errorf("state: the URL of etcd has the unknown parameter %q: password_file, ca_file, cert_file, key_file and tls are known", name)
		}
	}
	if c.Username, c.Password, err = login(u.User, q.Get("password_file")); err != nil {
		return c, "", err
	}
	onlyLocal := true
	var endpoints []string
	for host := range strings.SplitSeq(hosts, ",") {
		name, port, err := net.SplitHostPort(host)
		if err != nil {
			name, port = strings.Trim(host, "[]"), "2379"
		}
		if name == "" {
			return c, "", errShape
		}
		onlyLocal = onlyLocal && local(name)
		endpoints = append(endpoints, net.JoinHostPort(name, port))
	}
	files := q.Get("ca_file") + q.Get("cert_file") + q.Get("key_file")
	switch mode := q.Get("tls"); {
	case mode != "" && mode != "off":
		return c, "", fmt.Errorf("state: tls=%s is unknown: tls=off, or nothing", mode)
	case mode == "off" && files != "":
		return c, "", errors.New("state: tls=off does not go with ca_file, cert_file or key_file: remove one of them")
	case mode == "off" || onlyLocal && files == "":
	default:
		if c.TLS, err = tlsConfig(q); err != nil {
			return c, "", err
		}
	}
	for _, endpoint := range endpoints {
		if c.TLS != nil {
			endpoint = "https://" + endpoint
		} else {
			endpoint = "http://" + endpoint
		}
		c.Endpoints = append(c.Endpoints, endpoint)
	}
	c.DialTimeout = 5 * time.Second
	// A member of etcd that went away without a word is noticed within a lease.
	c.DialKeepAliveTime, c.DialKeepAliveTimeout = 10*time.Second, 3*time.Second
	c.Logger = zap.NewNop()
	c.DialOptions = []grpc.DialOption{grpc.WithDisableServiceConfig()}
	prefix := "/" + strings.Trim(u.Path, "/") + "/"
	if prefix == "//" {
		prefix = "/zitadel-siem/"
	}
	return c, prefix, nil
}

// Unverified are the hosts of a URL without TLS, except on this machine: whoever is on the way there
// can take the host's place, and read the password.
func Unverified(text string) (list []string) {
	c, _, err := Parse(text)
	if err != nil || c.TLS != nil {
		return nil
	}
	for _, host := range hosts(c) {
		if name, _, err := net.SplitHostPort(host); err == nil && !local(name) {
			list = append(list, host)
		}
	}
	return list
}

// hosts are those of a URL, each with its port.
func hosts(c clientv3.Config) (list []string) {
	for _, endpoint := range c.Endpoints {
		_, host, _ := strings.Cut(endpoint, "://")
		list = append(list, host)
	}
	return list
}

func local(name string) bool {
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

var errShape = errors.New("state is not a URL as etcd://HOST:2379,HOST:2379/PREFIX: percent-encode special characters in user and password")

func login(user *url.Userinfo, file string) (name, password string, err error) {
	if user == nil {
		if file != "" {
			return "", "", errors.New("state: password_file needs a user in the URL: etcd://USER@HOST:2379")
		}
		return "", "", nil
	}
	name = user.Username()
	password, given := user.Password()
	if file != "" {
		password, err = cluster.Password(file)
		return name, password, err
	}
	if !given {
		password = os.Getenv("ETCD_PASSWORD")
	}
	if password == "" {
		return "", "", fmt.Errorf("state: no password for user %q of etcd: give password_file in the URL, or set ETCD_PASSWORD", name)
	}
	return name, password, nil
}

func tlsConfig(q url.Values) (*tls.Config, error) {
	c, err := certs.Client(q.Get("ca_file"))
	if err == nil && q.Get("cert_file")+q.Get("key_file") != "" {
		err = certs.Present(c, q.Get("cert_file"), q.Get("key_file"))
	}
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	return c, nil
}
