package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"
)

const (
	// DefaultTolerance is that of ZITADEL's own library.
	DefaultTolerance = 300 * time.Second
	// MaxTolerance: beyond it the replay memory gets too long.
	MaxTolerance = time.Hour
	// DefaultMaxBody holds the response of an API call that lists a thousand users.
	DefaultMaxBody = 1 << 20
	maxMaxBody     = 8 << 20
	// DefaultMaxConns is far more than one ZITADEL opens, and some 30 MB when all are in use.
	DefaultMaxConns = 512
	// DefaultV1Header is the one of post_auth_webhook.js.
	DefaultV1Header = "X-Zitadel-Siem-Key"

	// A request comes in one or two packets. What is slower than this is no ZITADEL.
	headerTimeout = 5 * time.Second
	bodyTimeout   = 15 * time.Second // headers included
	idleTimeout   = 90 * time.Second // that of Go's client, so that it closes first
	// ZITADEL waits 10 s by default, and a login waits along.
	spoolTimeout = 5 * time.Second
	writeTimeout = bodyTimeout + keySetTimeout + spoolTimeout + 5*time.Second
	closeTimeout = spoolTimeout
	// maxHeaders: ZITADEL sends 400 bytes, proxies add to that. net/http adds 4 KiB.
	maxHeaders = 8 << 10
	// tellEvery is how often refusals are told, at most.
	tellEvery = time.Minute
)

// Spool is where messages become durable. See package spool.
type Spool interface {
	// Append returns nil when the entries are durable.
	Append(ctx context.Context, entries ...[]byte) error
}

// Options of an endpoint.
type Options struct {
	// KeysDir has the signing keys of V2 targets: file name = first segment of the path,
	// one key in a line. Empty: no V2.
	KeysDir string
	// V1Dir has the secrets of post_auth_webhook.js in the same form. Empty: no V1.
	V1Dir    string
	V1Header string // DefaultV1Header

	// CertFile and KeyFile make it HTTPS. They are read again when they change.
	CertFile, KeyFile string
	// Plain allows HTTP on other addresses than loopback, for a proxy that ends TLS.
	Plain bool

	// JWKSURL is ISSUER/oauth/v2/keys, for the payload types JWT and JWE; without it they
	// are refused. JWKS gets the document in its place.
	JWKSURL string
	JWKS    func(context.Context) ([]byte, error)
	// PlainJWKS allows HTTP for JWKSURL to other addresses than loopback: it decides who
	// signs, Plain who may listen along.
	PlainJWKS bool
	// Client is for JWKSURL; nil is one that follows no redirects.
	Client *http.Client
	// PrivateKeyFile has the private keys in PEM whose public ones JWE targets have.
	PrivateKeyFile string

	// Bodies keeps request and response bodies of executions, redacted.
	Bodies bool

	Tolerance time.Duration // DefaultTolerance
	MaxBody   int64         // DefaultMaxBody
	MaxConns  int           // DefaultMaxConns

	Spool Spool
	Log   *slog.Logger
	Now   func() time.Time
}

// Endpoint is an [http.Handler], and a server of it.
type Endpoint struct {
	Stats Stats

	o       Options
	log     *slog.Logger
	keys    *keyDir
	secrets *keyDir
	private *watched[[]any]
	cert    *watched[*tls.Certificate]
	keyset  *keyset
	replays *replays
	pins    pins
	budget  budget

	// Shorter in tests.
	headerTimeout, bodyTimeout, tellEvery time.Duration

	telling sync.Mutex
	told    teller
}

// New checks the options and reads all files. The error names every option that is wrong.
func New(o Options) (*Endpoint, error) {
	o.setDefaults()
	e := &Endpoint{o: o, log: o.Log, replays: newReplays(maxReplays), budget: budget{max: budgetOf(o.MaxBody)},
		headerTimeout: headerTimeout, bodyTimeout: bodyTimeout, tellEvery: tellEvery}
	problems := o.problems()
	note := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	var err error
	if o.KeysDir != "" {
		e.keys, err = newKeys("listen_keys_dir", o.KeysDir, isKeyByte, o.Now, o.Log)
		note(err)
	}
	if o.V1Dir != "" {
		e.secrets, err = newKeys("listen_v1_dir", o.V1Dir, isSecretByte, o.Now, o.Log)
		note(err)
	}
	if o.PrivateKeyFile != "" {
		e.private = &watched[[]any]{what: "listen_private_key_file", now: o.Now, log: o.Log,
			state: func() string { return stamp(o.PrivateKeyFile) },
			read: func(old []any) ([]any, error) {
				keys, err := readPrivateKeys(o.PrivateKeyFile)
				if err != nil {
					return old, err
				}
				return keys, nil
			}}
		note(e.private.open())
	}
	if o.CertFile != "" && o.KeyFile != "" {
		e.cert = &watched[*tls.Certificate]{what: "listen_cert_file and listen_cert_key_file", now: o.Now, log: o.Log,
			state: func() string { return stamp(o.CertFile) + "\x00" + stamp(o.KeyFile) },
			read: func(old *tls.Certificate) (*tls.Certificate, error) {
				cert, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
				if err != nil {
					return old, fmt.Errorf("%w; name a certificate chain and its private key, both in PEM", err)
				}
				return &cert, nil
			}}
		note(e.cert.open())
	}
	if o.JWKS != nil {
		e.keyset = &keyset{fetch: o.JWKS, now: o.Now}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return e, nil
}

func (o *Options) setDefaults() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Tolerance == 0 {
		o.Tolerance = DefaultTolerance
	}
	if o.MaxBody == 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.MaxConns == 0 {
		o.MaxConns = DefaultMaxConns
	}
	if o.V1Header == "" {
		o.V1Header = DefaultV1Header
	}
	if o.JWKS == nil && o.JWKSURL != "" {
		client := o.Client
		if client == nil {
			client = &http.Client{
				Timeout:       keySetTimeout,
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			}
		}
		o.JWKS = fetchURL(client, o.JWKSURL)
	}
}

func (o *Options) problems() (all []error) {
	bad := func(format string, args ...any) { all = append(all, fmt.Errorf(format, args...)) }
	if o.Spool == nil {
		bad("spool: there is none")
	}
	if o.KeysDir == "" && o.V1Dir == "" {
		bad("listen_keys_dir: name a directory with the signing keys of the targets, or listen_v1_dir with the secrets of post_auth_webhook.js")
	}
	if o.Tolerance < time.Second || o.Tolerance > MaxTolerance {
		bad("tolerance: %v is not between 1s and %v", o.Tolerance, MaxTolerance)
	}
	if o.MaxBody < 1<<10 || o.MaxBody > maxMaxBody {
		bad("max_body: %d is not between 1 KiB and %d MiB", o.MaxBody, maxMaxBody>>20)
	}
	if o.MaxConns < 1 || o.MaxConns > 65536 {
		bad("max_conns: %d is not between 1 and 65536", o.MaxConns)
	}
	if (o.CertFile == "") != (o.KeyFile == "") {
		bad("listen_cert_file and listen_cert_key_file: give both, or none")
	}
	if o.JWKSURL != "" {
		if u, err := url.Parse(o.JWKSURL); err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && (o.PlainJWKS || loopback(u.Hostname()))) {
			bad("jwks_url: want https://HOST/oauth/v2/keys")
		}
	}
	if o.PrivateKeyFile != "" && o.JWKS == nil {
		bad("listen_private_key_file: what it decrypts is signed; give jwks_url too")
	}
	return all
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
