package config

import (
	"net"
	"strconv"
	"strings"
)

// ListenSettings are those of the endpoint for webhooks of ZITADEL's actions.
type ListenSettings struct {
	Address string // HOST:PORT; empty: no endpoint, and the other fields have no effect

	KeysDir string // signing keys of V2 targets; KeysDir or V1Dir is set
	V1Dir   string // secrets of post_auth_webhook.js

	CertFile    string // CertFile and CertKeyFile are set together
	CertKeyFile string
	Plain       bool // HTTP on other addresses than loopback is allowed

	PrivateKeyFile string // of JWE payloads
	Bodies         bool   // keep the bodies of API calls, redacted
	CallAddresses  bool   // give events the client address of the API call that wrote them

	SpoolPath string // a directory; by default derived from the state's path, if that is a file
	SpoolSize int    // limit in bytes
}

// listenOptions are those of the input for webhooks.
var listenOptions = grouped("Options for webhooks", Options{
	{
		Name: "webhook_listen", Kind: KindText, Example: "0.0.0.0:8443",
		Doc:   "HOST:PORT on which webhooks of ZITADEL's actions are received. Their events are emitted at once; pulling adds the rest",
		also:  []string{"listen", "listen_address", "listen_on", "webhook", "webhooks", "webhook_address", "bind"},
		text:  hostPort,
		field: in(func(s *Settings) any { return &s.Listen.Address }),
	},
	{
		Name: "webhook_keys_dir", Kind: KindText, Example: "/etc/zitadel-siem/targets",
		Doc:   "Directory with the signing keys of Actions V2 targets. The name of a file is the first part of the path in the target's URL; each line of it is a key. It is read again when it changes",
		also:  []string{"listen_keys_dir", "keys_dir", "signing_keys", "signing_key", "signing_key_file", "listen_keys", "webhook_keys"},
		text:  noSpace,
		field: in(func(s *Settings) any { return &s.Listen.KeysDir }),
	},
	{
		Name: "webhook_v1_dir", Kind: KindText, Example: "/etc/zitadel-siem/scripts",
		Doc:   "Directory with the secrets of `post_auth_webhook.js` (Actions V1), in the same format",
		also:  []string{"listen_v1_dir", "v1_dir", "listen_secrets", "listen_secrets_dir", "webhook_secret", "webhook_secret_file"},
		text:  noSpace,
		field: in(func(s *Settings) any { return &s.Listen.V1Dir }),
	},
	{
		Name: "webhook_cert_file", Kind: KindFile, Example: "/etc/zitadel-siem/webhook.pem",
		Doc:    "PEM file with the certificate chain of the endpoint, for HTTPS; it is read again when it changes",
		also:   []string{"listen_cert_file", "listen_cert", "listen_certificate", "webhook_cert", "webhook_certificate"},
		public: true, content: certificates,
		field: in(func(s *Settings) any { return &s.Listen.CertFile }),
	},
	{
		Name: "webhook_cert_key_file", Kind: KindFile, Example: "/etc/zitadel-siem/webhook.key",
		Doc:     "PEM file with the private key of `webhook_cert_file`",
		also:    []string{"listen_cert_key_file", "listen_key_file", "listen_key", "listen_cert_key", "webhook_key_file"},
		content: privateKey,
		field:   in(func(s *Settings) any { return &s.Listen.CertKeyFile }),
	},
	{
		Name: "webhook_plain", Kind: KindSwitch, Default: "off", Example: "on",
		Doc:   "Allow HTTP on an address other than loopback, behind a proxy that ends TLS",
		also:  []string{"listen_plain", "listen_http", "listen_insecure", "webhook_http", "webhook_insecure"},
		field: in(func(s *Settings) any { return &s.Listen.Plain }),
	},
	{
		Name: "spool_path", Kind: KindText, Default: "`state_path` with .spool", Example: "/var/lib/zitadel-siem/spool", Advanced: true,
		Doc:   "Directory in which webhooks are stored durably before they are answered. With the setting state it is required, and each member needs its own",
		also:  []string{"spool", "spool_dir", "queue_path", "queue"},
		text:  noSpace,
		field: in(func(s *Settings) any { return &s.Listen.SpoolPath }),
	},
	{
		Name: "spool_size", Kind: KindSize, Default: "256M", Min: "2M", Max: "64G", Example: "1G", Advanced: true,
		Bounds: "when it is full, webhooks are answered with 503",
		Doc:    "Size limit of the spool",
		also:   []string{"spool_limit", "spool_max_size", "queue_size"},
		field:  in(func(s *Settings) any { return &s.Listen.SpoolSize }),
	},
	{
		Name: "webhook_bodies", Kind: KindSwitch, Default: "off", Example: "on", Advanced: true,
		Doc:   "Keep the request and response bodies of API calls that targets send, redacted",
		also:  []string{"listen_bodies", "bodies", "listen_body", "request_bodies", "include_bodies"},
		field: in(func(s *Settings) any { return &s.Listen.Bodies }),
	},
	{
		Name: "call_addresses", Kind: KindSwitch, Default: "on", Example: "off", Advanced: true,
		Doc:   "Give an event without a client address that of the API call that wrote it, if calls are received (`setup --calls`) and the format is not raw. Off with the setting state",
		also:  []string{"calls"},
		field: in(func(s *Settings) any { return &s.Listen.CallAddresses }),
	},
	{
		Name: "webhook_private_key_file", Kind: KindFile, Example: "/etc/zitadel-siem/jwe.key", Advanced: true,
		Doc:     "PEM file with the private key for targets whose payload type is JWE",
		also:    []string{"listen_private_key_file", "jwe_key_file", "listen_jwe_key_file", "webhook_jwe_key_file", "decryption_key_file"},
		content: privateKey,
		field:   in(func(s *Settings) any { return &s.Listen.PrivateKeyFile }),
	},
})

func grouped(group string, options Options) Options {
	for i := range options {
		options[i].Group = group
	}
	return options
}

// hostPort checks an address to listen on.
func hostPort(v string) error {
	host, port, err := net.SplitHostPort(v)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || port != strconv.FormatUint(n, 10) {
		if strings.Contains(v, "://") {
			return &valueError{"is a URL", "write only HOST:PORT"}
		}
		return &valueError{"is not HOST:PORT", "for example 0.0.0.0:8443"}
	}
	if strings.ContainsAny(host, "/@ ") {
		return &valueError{"has no valid host", ""}
	}
	return nil
}

// listening checks that senders are authenticated, and that webhooks are encrypted.
func listening(p *parser, s *Settings) {
	l := &s.Listen
	if !p.given["webhook_listen"] {
		for _, o := range listenOptions {
			if p.given[o.Name] {
				p.fail(o.Name, "", "has no effect without webhook_listen", "add webhook_listen, for example 0.0.0.0:8443; an option with the name listen never reaches a Fluent Bit plugin")
			}
		}
		return
	}
	if !p.given["webhook_keys_dir"] && !p.given["webhook_v1_dir"] {
		p.fail("webhook_keys_dir", "", "is missing, and webhook_v1_dir too: without keys, no sender can be verified",
			"name a directory with the signing key of each target, for example /etc/zitadel-siem/targets")
	}
	switch {
	case p.opts.Shared:
		listeningShared(p, l)
	case !p.given["state_path"]:
		p.fail("webhook_listen", "", "needs state_path, so that an event that was received by webhook is not read again", "for example /var/lib/zitadel-siem/prod.state")
	case l.SpoolPath == "":
		l.SpoolPath = s.StatePath + ".spool"
	}
	cert, key := p.given["webhook_cert_file"], p.given["webhook_cert_key_file"]
	host, _, _ := net.SplitHostPort(l.Address)
	switch {
	case cert && !key:
		p.fail("webhook_cert_file", "", "is given without webhook_cert_key_file", "add webhook_cert_key_file, the path of the file that holds its private key")
	case key && !cert:
		p.fail("webhook_cert_key_file", "", "is given without webhook_cert_file", "add webhook_cert_file, the path of the file that holds the certificate")
	case !cert && !l.Plain && !p.bad["webhook_listen"] && !p.bad["webhook_plain"] && !loopback(host):
		p.fail("webhook_listen", quote(l.Address), "would receive webhooks unencrypted on an address other than loopback",
			"add webhook_cert_file and webhook_cert_key_file, or set webhook_plain on if a proxy in front ends TLS")
	}
}

// listeningShared checks the endpoint of one process among several.
func listeningShared(p *parser, l *ListenSettings) {
	if !p.given["spool_path"] {
		p.fail("spool_path", "", "is missing: with the setting state there is no state_path from which it could be derived",
			"name a directory of this member alone, on an emptyDir or a volume of its own, for example /var/lib/zitadel-siem/spool")
	}
	if p.given["call_addresses"] && l.CallAddresses {
		p.fail("call_addresses", "", "does not work together with the setting state: each member receives only some of the API calls, and events could get a wrong address", "remove one of the two")
	}
	l.CallAddresses = false
}
