package config

import (
	"slices"
	"strings"
)

// Output is the table of the Fluent Bit output and of `zitadel-siem parse`.
var Output = Table[OutputSettings]{
	Title:   "Options of the parser",
	Options: outputOptions,
	rules: slices.Concat([]func(*parser, *OutputSettings){destination, sharedKeys, clientCertificate, rawLines},
		liftRules([]func(*parser, *FormatSettings){formatting, pseudonymizing}, (*OutputSettings).format),
		liftRules([]func(*parser, *ChunkSettings){chunking}, (*OutputSettings).chunks)),
}

// kinds are what a line can be; allKinds means all of them.
var kinds = []string{"log", "run_started", "run_succeeded", "run_failed", "access", "request", "gateway", "activity", "malformed", "other"}

const allKinds = "all"

const defaultLineKeys = "log,message"

// ChosenLineKeys are the line keys where they are not the default ones, else none.
func (s OutputSettings) ChosenLineKeys() []string {
	if strings.Join(s.LineKeys, ",") == defaultLineKeys {
		return nil
	}
	return s.LineKeys
}

var outputOptions = slices.Concat(Options{
	{
		Name: "forward", Kind: KindForward, Example: "tls://siem.example.com:24224",
		Doc: "Where the records go, by the forward protocol. The plugin requires it. Unencrypted only to loopback or with `insecure`",
		also: []string{"forward_to", "forward_host", "forward_port", "forward_address", "host", "hostname", "port", "address", "addr", "upstream",
			"server", "endpoint", "url", "uri", "to", "target", "destination", "dest", "output", "aggregator",
			"unix_path", "unix_socket", "socket", "socket_path", "tls", "use_tls", "ssl"},
		field: in(func(s *OutputSettings) any { return &s.Forward }),
	},
	{
		Name: "shared_key", Kind: KindToken, Secret: true, Example: "${ZITADEL_SHARED_KEY}",
		Doc:   "Shared key of the receiving in_forward, if it has one. Not together with `shared_key_file`",
		also:  []string{"shared_secret", "secret", "psk", "preshared_key", "pre_shared_key", "password", "passphrase", "token", "auth_key"},
		text:  oneLine,
		field: in(func(s *OutputSettings) any { return &s.SharedKey }),
	},
	{
		Name: "shared_key_file", Kind: KindFile, Example: "/etc/zitadel-siem/shared-key",
		Doc:     "File that holds the shared key",
		also:    []string{"shared_key_path", "shared_secret_file", "secret_file", "psk_file", "password_file", "token_file"},
		content: sharedKey,
		field:   in(func(s *OutputSettings) any { return &s.SharedKeyFile }),
	},
	{
		Name: "ca_file", Kind: KindFile, Example: "/etc/ssl/private-ca.pem",
		Doc: "PEM file with the certificate authority of the receiver, in addition to those of the system. TLS is always verified",
		also: []string{"ca", "ca_cert", "cacert", "ca_path", "ca_cert_file", "tls_ca_file", "tls_ca_path", "tls_verify", "verify", "verify_tls",
			"tls_verify_hostname", "skip_verify", "tls_skip_verify", "insecure_skip_verify"},
		public: true, content: certificates,
		field: in(func(s *OutputSettings) any { return &s.CAFile }),
	},
	{
		Name: "cert_file", Kind: KindFile, Example: "/etc/zitadel-siem/client.pem",
		Doc: "PEM file with the client certificate, if the receiver asks for one; needs `cert_key_file`",
		also: []string{"cert", "cert_path", "crt_file", "certificate", "certificate_file", "client_cert", "client_cert_file", "client_certificate",
			"tls_crt_file", "tls_cert_file"},
		public: true, content: certificates,
		field: in(func(s *OutputSettings) any { return &s.CertFile }),
	},
	{
		Name: "cert_key_file", Kind: KindFile, Example: "/etc/zitadel-siem/client.key",
		Doc: "PEM file with the private key of the client certificate",
		also: []string{"cert_key", "certificate_key", "client_key", "client_key_file", "private_key", "private_key_file", "key_file", "key_path",
			"tls_key_file", "tls_key"},
		content: privateKey,
		field:   in(func(s *OutputSettings) any { return &s.CertKeyFile }),
	},
	{
		Name: "insecure", Kind: KindSwitch, Default: "off", Example: "on",
		Doc:   "Allow tcp without TLS to a host other than loopback: the records then travel unencrypted",
		also:  []string{"allow_tcp", "plaintext", "allow_plaintext", "allow_insecure", "allow_clear"},
		field: in(func(s *OutputSettings) any { return &s.Insecure }),
	},
	{
		Name: "line_keys", Kind: KindList, Default: defaultLineKeys, Example: "log,message",
		Doc: "Keys that may hold the line; the first one that exists and holds text is used. The plugin looks for them in the incoming record, `parse` in " +
			"JSON around the line. By default `parse` also knows the keys of journald, of clouds and of other collectors",
		also:  []string{"line_key", "line", "lines", "key", "keys", "key_name", "log_key", "log_keys", "message_key", "message_keys", "field", "field_name"},
		field: in(func(s *OutputSettings) any { return &s.LineKeys }),
	},
	{
		Name: "kinds", Kind: KindList, Default: "log,run_started,run_succeeded,run_failed,malformed", Values: append(slices.Clone(kinds), allKinds), Example: "all",
		Doc:   "Which kinds of lines become records; all other lines are counted. `request` joins each request with its access record and needs no `access` for that",
		also:  []string{"kind", "types", "type", "record_types", "include", "filter", "only", "records"},
		items: expandKinds,
		field: in(func(s *OutputSettings) any { return &s.Kinds }),
	},
	{
		Name: "raw", Kind: KindSwitch, Default: "off", Example: "on",
		Doc:   "Keep the line itself, without its secrets, in records of lines that were not understood (`malformed`, `other`)",
		also:  []string{"raw_line", "raw_log", "keep_raw", "include_raw", "keep_line", "keep_log", "preserve_key", "reserve_data", "original"},
		field: in(func(s *OutputSettings) any { return &s.Raw }),
	},
	{
		Name: "instance", Kind: KindText, Default: "the instance id in the line", Example: "prod-eu",
		Doc:   "Label of this ZITADEL instance in every record and event id. If you change it, the ids change",
		also:  []string{"instance_name", "instance_label", "instance_id", "label"},
		text:  labelError,
		field: in(func(s *OutputSettings) any { return &s.Instance }),
	},
	{
		Name: "tag", Kind: KindText, Default: "the tag of the incoming chunk", Example: "parsed.zitadel",
		Doc:   "Tag that the records are sent with",
		also:  []string{"tag_name", "new_tag", "output_tag", "forward_tag", "rename_tag", "tag_prefix", "add_tag_prefix"},
		text:  tagShape,
		field: in(func(s *OutputSettings) any { return &s.Tag }),
	},
	{
		Name: "ack_timeout", Kind: KindDuration, Default: "10s", Min: "1s", Max: "1m", Example: "30s", Advanced: true,
		Bounds: "Fluent Bit waits during this time, even when it is stopping",
		Doc:    "Timeout for the receiver's acknowledgement",
		also:   []string{"ack", "timeout", "request_timeout", "response_timeout", "ack_response_timeout", "require_ack_response", "deadline"},
		field:  in(func(s *OutputSettings) any { return &s.AckTimeout }),
	},
	{
		Name: "self_hostname", Kind: KindText, Default: "the machine's host name", Example: "node-1", Advanced: true,
		Doc:   "Host name sent to the receiver in the handshake of the shared key",
		also:  []string{"self_host", "self_name", "client_hostname", "client_name", "source_hostname"},
		text:  noSpace,
		field: in(func(s *OutputSettings) any { return &s.SelfHostname }),
	},
	{
		Name: "chunk_size", Kind: KindSize, Default: "2M", Min: "64k", Max: "64M", Example: "1M", Advanced: true,
		Bounds: "one message must hold any record, and fit into the buffer of the receiver",
		Doc:    "Bytes of records in one message; must be less than `buffer_max_size` of the receiving in_forward (6M by default)",
		also: []string{"chunk", "batch_size", "bulk_size", "message_size", "buffer_size",
			"buffer_chunk_size", "buffer_max_size"},
		field: in(func(s *OutputSettings) any { return &s.ChunkSize }),
	},
}, formatOptions((*OutputSettings).format), chunkOptions((*OutputSettings).chunks))

// expandKinds checks the words, and replaces "all".
func expandKinds(p *parser, o Option, list *[]string) {
	var right []string
	for _, word := range *list {
		known, err := parseEnum(word, o.Values)
		switch {
		case err != nil:
			p.refuse(o, word, err)
		case known == allKinds:
			right = append(right, kinds...)
		default:
			right = append(right, known)
		}
	}
	*list = slices.DeleteFunc(slices.Clone(kinds), func(kind string) bool { return !slices.Contains(right, kind) })
}
