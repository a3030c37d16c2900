package etcd

import (
	"crypto/tls"
	"crypto/x509"
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
)

// Parse reads etcd://[USER[:PASSWORD]@]HOST:2379,HOST:2379/PREFIX?… and returns the prefix with
// a slash at its end. The default prefix is /zitadel-siem/. Parameters:
//
//	password_file  the password; ETCD_PASSWORD works too
//	ca_file        PEM of the authorities; default those of the system
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
	user, hosts := "", rest[:end]
	if i := strings.LastIndex(hosts, "@"); i >= 0 {
		user, hosts = hosts[:i+1], hosts[i+1:]
	}
	u, err := url.Parse("etcd://" + user + "host" + rest[end:])
	if err != nil { // it has the password
		return c, "", errShape
	}
	q := u.Query()
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
		ip := net.ParseIP(name)
		onlyLocal = onlyLocal && (name == "localhost" || ip != nil && ip.IsLoopback())
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
		b, err := os.ReadFile(file)
		if err != nil {
			return "", "", fmt.Errorf("state: password_file: %w", err)
		}
		password, given = strings.TrimRight(string(b), "\r\n"), true
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
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if file := q.Get("ca_file"); file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("state: ca_file: %w", err)
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("state: ca_file %q has no certificate in PEM", file)
		}
	}
	if q.Get("cert_file") == "" && q.Get("key_file") == "" {
		return c, nil
	}
	cert, err := tls.LoadX509KeyPair(q.Get("cert_file"), q.Get("key_file"))
	if err != nil {
		return nil, fmt.Errorf("state: cert_file and key_file: %w", err)
	}
	c.Certificates = []tls.Certificate{cert}
	return c, nil
}
