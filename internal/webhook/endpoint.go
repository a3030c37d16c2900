package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/keyfile"
	"github.com/zitadel-siem/zitadel-siem/internal/watched"
)

const (
	// tolerance is the difference between the clocks that is accepted, as in
	// ZITADEL's own library.
	tolerance = 300 * time.Second
	// maxBody is enough for the response of an API call that lists a thousand users.
	maxBody = 1 << 20
	// maxConns is far more than one ZITADEL opens. All of them in use take some 30 MB.
	maxConns = 512
	// v1Header is the header of post_auth_webhook.js that has the secret.
	v1Header = "X-Zitadel-Siem-Key"

	// A request arrives in one or two packets. ZITADEL is never slower than this.
	headerTimeout = 5 * time.Second
	bodyTimeout   = 15 * time.Second // including the headers
	idleTimeout   = 90 * time.Second // that of Go's client, so that the client closes first
	// ZITADEL waits 10 s by default, and a login waits with it.
	spoolTimeout = 5 * time.Second
	writeTimeout = bodyTimeout + keySetTimeout + spoolTimeout + 5*time.Second
	closeTimeout = spoolTimeout
	// arrivalTimeout is how long a request may arrive at the end: one that is cut off is lost,
	// because ZITADEL sends it once.
	arrivalTimeout = 500 * time.Millisecond
	// maxHeaders: ZITADEL sends 400 bytes, and proxies add to that. net/http adds 4 KiB.
	maxHeaders = 8 << 10
	// reportEvery is how often refusals are logged, at most.
	reportEvery = time.Minute
)

// Spool makes messages durable. See package spool.
type Spool interface {
	// Append returns nil when the entries are durable.
	Append(ctx context.Context, entries ...[]byte) error
}

// Endpoint is an [http.Handler], and a server of it.
type Endpoint struct {
	Stats Stats
	// OnCall, if not nil, is called with each verified request and response execution, before
	// it is spooled and on the goroutine of its request. Set it before the first request.
	OnCall func(*Execution)
	// OnLost, if not nil, is called with the time of the signature of a request that is
	// refused although its sender is verified, and that may have been a call. Bodies above the
	// limits are then read to verify them, without keeping them. Set it with OnCall.
	OnLost func(signed time.Time)

	settings config.ListenSettings
	spool    Spool
	log      *slog.Logger
	now      func() time.Time

	keys    *watched.Value[keySet] // nil: no V2
	secrets *watched.Value[keySet] // nil: no V1
	private *watched.Value[[]any]
	cert    *watched.Value[*tls.Certificate]
	keyset  *keyset
	replays *replays
	pins    pins
	budget  budget

	// Tests change them.
	maxConns                                                int
	headerTimeout, bodyTimeout, arrivalTimeout, reportEvery time.Duration

	reportMu sync.Mutex
	reported reported
}

// New makes an endpoint as settings.Listen says. Payloads of the types JWT and
// JWE are verified with the keys of the instance that settings.URL names. New
// reads all files; its error names every option that is wrong.
func New(settings config.Settings, spool Spool, log *slog.Logger) (*Endpoint, error) {
	fetch, err := keysOf(settings)
	if err != nil {
		return nil, err
	}
	return newEndpoint(settings.Listen, fetch, spool, log, time.Now)
}

func newEndpoint(s config.ListenSettings, fetch fetchKeys, spool Spool, log *slog.Logger, now func() time.Time) (*Endpoint, error) {
	e := &Endpoint{settings: s, spool: spool, log: log, now: now,
		keyset:  &keyset{fetch: fetch, now: now, log: log},
		replays: newReplays(maxReplays), budget: budget{max: bodiesInMemory * maxBody},
		maxConns: maxConns, headerTimeout: headerTimeout, bodyTimeout: bodyTimeout, arrivalTimeout: arrivalTimeout, reportEvery: reportEvery}
	var all [4]error
	if s.KeysDir != "" {
		e.keys, all[0] = e.watchKeys("webhook_keys_dir", s.KeysDir, keyfile.Signing)
	}
	if s.V1Dir != "" {
		e.secrets, all[1] = e.watchKeys("webhook_v1_dir", s.V1Dir, keyfile.Secret)
	}
	if s.PrivateKeyFile != "" {
		e.private, all[2] = watch(e, "webhook_private_key_file",
			func() string { return watched.Stamp(s.PrivateKeyFile) },
			func(previous []any) ([]any, error) {
				keys, err := readPrivateKeys(s.PrivateKeyFile)
				if err != nil {
					return previous, err
				}
				return keys, nil
			})
	}
	if s.CertFile != "" {
		e.cert, all[3] = watch(e, "webhook_cert_file and webhook_cert_key_file",
			func() string { return watched.Stamp(s.CertFile) + "\x00" + watched.Stamp(s.CertKeyFile) },
			func(previous *tls.Certificate) (*tls.Certificate, error) {
				cert, err := tls.LoadX509KeyPair(s.CertFile, s.CertKeyFile)
				if err != nil {
					return previous, fmt.Errorf("%w; name a certificate chain and its private key, both in PEM", err)
				}
				return &cert, nil
			})
	}
	if err := errors.Join(all[:]...); err != nil {
		return nil, err
	}
	return e, nil
}
