package config

import (
	"strings"
)

// Kind is the shape of an option's value.
type Kind int

// The kinds, with what is accepted.
const (
	KindText     Kind = iota + 1 // any text without control characters
	KindURL                      // scheme://host[:port]
	KindEnum                     // one of Option.Values
	KindSwitch                   // on/off, true/false, yes/no
	KindDuration                 // 5s, 1h30m, 7d; a plain number is seconds
	KindSize                     // 512k, 16M, 1G (decimal, as Fluent Bit counts); a plain number is bytes
	KindNumber                   // a whole number
	KindList                     // comma-separated text
	KindFile                     // path of a file that exists
	KindPath                     // path of a file that may be created
	KindTime                     // RFC 3339
	KindPoint                    // beginning, now, RFC 3339 or a duration back
	KindToken                    // a secret
)

var kindNames = map[Kind]string{
	KindText: "text", KindURL: "URL", KindSwitch: "on, off", KindDuration: "duration", KindSize: "size", KindNumber: "number",
	KindList: "list", KindFile: "file", KindPath: "file", KindTime: "RFC 3339", KindPoint: "`beginning`, `now`, RFC 3339 or a duration back",
	KindToken: "secret",
}

// Option is one setting. Everything that is said about it anywhere is
// derived from here: parsing, defaults, help, environment, README.
type Option struct {
	Name     string // as in Fluent Bit's configuration, snake case
	Kind     Kind
	Default  string   // in the option's own syntax, "" where there is none
	Values   []string // of an Enum
	Min, Max string   // bounds of a Duration, Size or Number, in its own syntax
	Bounds   string   // why these bounds
	Doc      string   // one or two sentences, without a final stop
	Example  string   // a right value
	Advanced bool     // seldom changed
	Secret   bool     // the value must not be shown

	// also holds names that users write instead and that mean this option.
	also []string
	// field is where the value lands: a *string, *Secret, *bool, *int,
	// *time.Duration, *time.Time, *[]string, *Start or **url.URL.
	field func(*Settings) any
}

// Options is the table of all options, in the order of the documentation.
var Options = []Option{
	{
		Name: "url", Kind: KindURL, Example: "https://zitadel.example.com",
		Doc:   "Where ZITADEL answers: scheme, host and optional port. http only for loopback or with `insecure`",
		also:  []string{"uri", "host", "hostname", "endpoint", "domain", "issuer", "server", "address", "base_url", "api_url", "zitadel_url"},
		field: func(s *Settings) any { return &s.URL },
	},
	{
		Name: "token", Kind: KindToken, Secret: true, Example: "${ZITADEL_TOKEN}",
		Doc: "Personal access token of a service user with the role IAM_OWNER_VIEWER. " +
			"One of `token`, `token_file`, `key_file` or `client_id` with `client_secret_file` is required",
		also: []string{"tokens", "api_token", "api_key", "access_token", "pat", "personal_access_token", "bearer",
			"bearer_token", "auth_token", "zitadel_token", "password"},
		field: func(s *Settings) any { return &s.Token },
	},
	{
		Name: "token_file", Kind: KindFile, Example: "/etc/zitadel-siem/token",
		Doc:   "File that holds the personal access token; read again when it changes",
		also:  []string{"token_path", "pat_file", "access_token_file", "api_token_file"},
		field: func(s *Settings) any { return &s.TokenFile },
	},
	{
		Name: "key_file", Kind: KindFile, Example: "/etc/zitadel-siem/key.json",
		Doc: "JSON key of a service user (JWT profile)",
		also: []string{"key", "key_path", "key_json", "machine_key", "private_key", "private_key_file", "jwt_profile",
			"jwt_file", "service_account", "service_account_file", "credentials", "credentials_file"},
		field: func(s *Settings) any { return &s.KeyFile },
	},
	{
		Name: "client_id", Kind: KindText, Example: "siem-reader",
		Doc:   "Client id of a service user; together with `client_secret_file`",
		also:  []string{"client"},
		field: func(s *Settings) any { return &s.ClientID },
	},
	{
		Name: "client_secret_file", Kind: KindFile, Example: "/etc/zitadel-siem/client-secret",
		Doc:   "File that holds the client secret that belongs to `client_id`",
		also:  []string{"client_secret", "secret", "secret_file"},
		field: func(s *Settings) any { return &s.ClientSecretFile },
	},
	{
		Name: "state_path", Kind: KindPath, Example: "/var/lib/zitadel-siem/prod.state",
		Doc: "File that remembers what is acknowledged; one per instance. The plugin requires it; " +
			"`zitadel-siem pull` without it begins at `start` each time",
		also: []string{"state", "state_file", "state_dir", "db", "database", "path", "cursor_path", "cursor_file",
			"cursor", "checkpoint", "checkpoint_file", "pos_file", "position_file"},
		field: func(s *Settings) any { return &s.StatePath },
	},
	{
		Name: "start", Kind: KindPoint, Default: "beginning", Example: "24h",
		Doc: "Where a reader without a state begins",
		also: []string{"since", "from", "begin", "start_time", "start_date", "start_at", "start_from", "start_position",
			"from_beginning", "read_from_head", "initial_lookback"},
		field: func(s *Settings) any { return &s.Start },
	},
	{
		Name: "end", Kind: KindTime, Example: "2026-07-01T00:00:00Z",
		Doc:   "Stop at this time and say so; without it, follow for ever",
		also:  []string{"until", "to", "end_time", "end_date", "end_at", "stop"},
		field: func(s *Settings) any { return &s.End },
	},
	{
		Name: "event_types", Kind: KindList, Example: "user.human.password.check.failed,user.locked",
		Doc:   "Only these event types, matched exactly; any number of them",
		also:  []string{"events", "event", "types", "event_type", "include", "include_event_types", "filter"},
		field: func(s *Settings) any { return &s.EventTypes },
	},
	{
		Name: "exclude_event_types", Kind: KindList, Example: "user.token.added",
		Doc:   "None of these event types, matched exactly",
		also:  []string{"exclude", "exclude_events", "exclude_types", "excludes", "ignore_event_types", "drop_event_types"},
		field: func(s *Settings) any { return &s.ExcludeEventTypes },
	},
	{
		Name: "aggregate_types", Kind: KindList, Example: "user,session,org",
		Doc:   "Only events of these aggregate types",
		also:  []string{"aggregate", "aggregates", "aggregate_type"},
		field: func(s *Settings) any { return &s.AggregateTypes },
	},
	{
		Name: "aggregate_ids", Kind: KindList, Example: "279316246871736323",
		Doc:   "Only events of these aggregates, such as one user",
		also:  []string{"aggregate_id"},
		field: func(s *Settings) any { return &s.AggregateIDs },
	},
	{
		Name: "resource_owners", Kind: KindList, Example: "279316246871736320",
		Doc:   "Only events of these organisations",
		also:  []string{"resource_owner", "owner", "owners", "org", "orgs", "org_id", "org_ids", "organization", "organizations", "organisation"},
		field: func(s *Settings) any { return &s.ResourceOwners },
	},
	{
		Name: "editor_user_ids", Kind: KindList, Example: "279316246871736325",
		Doc:   "Only events that these users caused",
		also:  []string{"editor_user_id", "editor", "editors", "user_id", "user_ids", "users", "editor_ids"},
		field: func(s *Settings) any { return &s.EditorUserIDs },
	},
	{
		Name: "exclude_own", Kind: KindSwitch, Default: "off", Example: "on",
		Doc:   "Leave out the events that this reader's own token requests write; they are counted. Off, because an audit trail is whole",
		also:  []string{"exclude_self", "ignore_own", "skip_own"},
		field: func(s *Settings) any { return &s.ExcludeOwn },
	},
	{
		Name: "instance", Kind: KindText, Default: "the host of `url`", Example: "prod-eu",
		Doc:   "Label of this ZITADEL in every record and event id. Changing it changes the ids",
		also:  []string{"instance_name", "instance_label", "instance_id", "label"},
		field: func(s *Settings) any { return &s.Instance },
	},
	{
		Name: "tag_by", Kind: KindEnum, Default: "none", Values: []string{"none", "aggregate_type", "event_type"}, Example: "aggregate_type",
		Doc:   "Append the aggregate type or the event type to the tag, so that you can route by tag",
		also:  []string{"tag_key", "split_tag", "tag_from"},
		field: func(s *Settings) any { return &s.TagBy },
	},
	{
		Name: "redact", Kind: KindSwitch, Default: "on", Example: "on",
		Doc:   "Replace hashes, codes, tokens, cookies and keys by `[REDACTED]`",
		also:  []string{"redaction", "mask", "redact_secrets", "sanitize"},
		field: func(s *Settings) any { return &s.Redact },
	},
	{
		Name: "transport", Kind: KindEnum, Default: "grpc", Values: []string{"grpc", "rest"}, Example: "rest",
		Doc:   "rest for networks that break gRPC",
		also:  []string{"protocol", "mode", "api"},
		field: func(s *Settings) any { return &s.Transport },
	},
	{
		Name: "ca_file", Kind: KindFile, Example: "/etc/ssl/private-ca.pem",
		Doc: "PEM file with the certificate authority of `url`, beside those of the system. TLS is always verified",
		also: []string{"ca", "ca_cert", "cacert", "ca_path", "ca_cert_file", "cert_file", "tls_ca_file", "tls_verify", "verify",
			"verify_tls", "skip_verify", "tls_skip_verify", "insecure_skip_verify"},
		field: func(s *Settings) any { return &s.CAFile },
	},
	{
		Name: "insecure", Kind: KindSwitch, Default: "off", Example: "on",
		Doc:   "Allow http to another host than loopback: the token then travels in clear",
		also:  []string{"allow_http", "plaintext", "allow_insecure"},
		field: func(s *Settings) any { return &s.Insecure },
	},
	{
		Name: "poll_interval", Kind: KindDuration, Default: "5s", Min: "100ms", Max: "1d", Example: "5s", Advanced: true,
		Bounds: "ZITADEL Cloud answers 50 requests a second to one address",
		Doc:    "Pause between two questions once all events are read",
		also: []string{"interval", "interval_sec", "interval_nsec", "poll", "polling", "polling_interval", "poll_interval_sec",
			"refresh_interval", "scrape_interval"},
		field: func(s *Settings) any { return &s.PollInterval },
	},
	{
		Name: "settle", Kind: KindDuration, Default: "2s", Min: "0s", Max: "10m", Example: "2s", Advanced: true,
		Bounds: "events are not read before they are this old",
		Doc:    "Read no events younger than this, since ZITADEL may show younger ones before older ones",
		also:   []string{"settle_time", "settle_delay", "lag", "delay"},
		field:  func(s *Settings) any { return &s.Settle },
	},
	{
		// Re-reading 2 s missed no event of a real server under the load of
		// 64 writers; five times that is the margin.
		Name: "overlap", Kind: KindDuration, Default: "10s", Min: "0s", Max: "1h", Example: "10s", Advanced: true,
		Bounds: "all keys of the overlap are kept in memory and in the state",
		Doc:    "Read this far behind again and drop what was read before, for events that become visible late",
		also:   []string{"lookback", "look_back", "overlap_window"},
		field:  func(s *Settings) any { return &s.Overlap },
	},
	{
		Name: "request_timeout", Kind: KindDuration, Default: "30s", Min: "1s", Max: "10m", Example: "1m", Advanced: true,
		Bounds: "ZITADEL lets a question wait for open transactions, 20s were measured",
		Doc:    "How long one answer may take",
		also:   []string{"timeout", "http_timeout", "grpc_timeout", "read_timeout", "deadline"},
		field:  func(s *Settings) any { return &s.RequestTimeout },
	},
	{
		Name: "page_size", Kind: KindNumber, Default: "1000", Min: "1", Max: "1000", Example: "1000", Advanced: true,
		Bounds: "ZITADEL gives at most 1000",
		Doc:    "Events asked for at once",
		also:   []string{"page", "limit", "batch_size", "page_limit"},
		field:  func(s *Settings) any { return &s.PageSize },
	},
	{
		Name: "buffer_size", Kind: KindSize, Default: "16M", Min: "2M", Max: "4G", Example: "64M", Advanced: true,
		Bounds: "it must hold one chunk and the page being read",
		Doc:    "Bytes read but not yet acknowledged, at most; then reading waits",
		also:   []string{"buffer", "buf_size", "buffer_limit", "buffer_max_size", "max_buffer", "max_memory"},
		field:  func(s *Settings) any { return &s.BufferSize },
	},
	{
		Name: "commit_delay", Kind: KindDuration, Default: "5s", Min: "0s", Max: "10m", Example: "5s", Advanced: true,
		Bounds: "after a crash this much is read twice",
		Doc:    "How far the state stays behind where Fluent Bit gives no acknowledgement (an input thread)",
		also:   []string{"commit_interval", "ack_delay", "flush_delay"},
		field:  func(s *Settings) any { return &s.CommitDelay },
	},
	{
		Name: "language", Kind: KindText, Default: "en", Example: "de", Advanced: true,
		Doc:   "Language of the localized event names",
		also:  []string{"lang", "locale", "accept_language"},
		field: func(s *Settings) any { return &s.Language },
	},
}

// Lookup finds an option by its exact name.
func Lookup(name string) (Option, bool) {
	for _, o := range Options {
		if o.Name == name {
			return o, true
		}
	}
	return Option{}, false
}

// Env is the name of the environment variable, such as ZITADEL_TOKEN_FILE.
func (o Option) Env() string { return "ZITADEL_" + strings.ToUpper(o.Name) }

// Flag is the name of the command line flag without dashes, such as token-file.
func (o Option) Flag() string { return strings.ReplaceAll(o.Name, "_", "-") }

// Help is the text of the flag: what it does, values, default, environment.
func (o Option) Help() string {
	parts := []string{strings.ReplaceAll(o.Doc, "`", "")}
	if len(o.Values) > 0 {
		parts = append(parts, "one of "+strings.Join(o.Values, ", "))
	}
	if o.Default != "" {
		parts = append(parts, "default "+strings.ReplaceAll(o.Default, "`", ""))
	}
	return strings.Join(parts, "; ") + " ($" + o.Env() + ")"
}

// fallback is the default as a value: a default that is only described, as
// that of instance, is made elsewhere.
func (o Option) fallback() string {
	if o.Name == "instance" {
		return ""
	}
	return o.Default
}

// FromEnv returns the options that environment variables set. An empty
// variable counts as unset, and foreign ZITADEL_ variables (the server has
// many) are left alone.
func FromEnv(getenv func(string) string) map[string]string {
	values := map[string]string{}
	for _, o := range Options {
		if v := getenv(o.Env()); v != "" {
			values[o.Name] = v
		}
	}
	return values
}
