package config

import "slices"

// Input is the table of the Fluent Bit input and of `zitadel-siem pull`.
var Input = Table[Settings]{
	Title:   "Options of the reader",
	Options: inputOptions,
	rules: append([]func(*parser, *Settings){authentication, state, connection, times, crossFilters, listening, enriching},
		liftRules([]func(*parser, *FormatSettings){formatting, pseudonymizing}, (*Settings).format)...),
}

var inputOptions = slices.Concat(Options{
	{
		Name: "url", Kind: KindURL, Example: "https://zitadel.example.com",
		Doc:   "Base URL of ZITADEL: scheme, host and optional port. http is allowed only for loopback or with `insecure`",
		also:  []string{"uri", "host", "hostname", "endpoint", "domain", "issuer", "server", "address", "base_url", "api_url", "zitadel_url"},
		field: in(func(s *Settings) any { return &s.URL }),
	},
	{
		Name: "token", Kind: KindToken, Secret: true, Example: "${ZITADEL_TOKEN}",
		Doc: "Personal access token of a service user with the role IAM_OWNER_VIEWER. " +
			"Exactly one of `token`, `token_file`, `key_file` or `client_id` with `client_secret_file` is required",
		also: []string{"tokens", "api_token", "api_key", "access_token", "pat", "personal_access_token", "bearer",
			"bearer_token", "auth_token", "zitadel_token", "password"},
		text:  oneWord,
		field: in(func(s *Settings) any { return &s.Token }),
	},
	{
		Name: "token_file", Kind: KindFile, Example: "/etc/zitadel-siem/token",
		Doc:     "File that holds the personal access token; it is read again when it changes",
		also:    []string{"token_path", "pat_file", "access_token_file", "api_token_file"},
		content: bareSecret,
		field:   in(func(s *Settings) any { return &s.TokenFile }),
	},
	{
		Name: "key_file", Kind: KindFile, Example: "/etc/zitadel-siem/key.json",
		Doc: "File with the JSON key of a service user (JWT profile)",
		also: []string{"key", "key_path", "key_json", "machine_key", "private_key", "private_key_file", "jwt_profile",
			"jwt_file", "service_account", "service_account_file", "credentials", "credentials_file"},
		content: keyContent,
		field:   in(func(s *Settings) any { return &s.KeyFile }),
	},
	{
		Name: "client_id", Kind: KindText, Example: "siem-reader",
		Doc:   "Client id of a service user; needs `client_secret_file`",
		also:  []string{"client"},
		text:  noSpace,
		field: in(func(s *Settings) any { return &s.ClientID }),
	},
	{
		Name: "client_secret_file", Kind: KindFile, Example: "/etc/zitadel-siem/client-secret",
		Doc:     "File that holds the client secret of `client_id`",
		also:    []string{"client_secret", "secret", "secret_file"},
		content: bareSecret,
		field:   in(func(s *Settings) any { return &s.ClientSecretFile }),
	},
	{
		Name: "state_path", Kind: KindPath, Example: "/var/lib/zitadel-siem/prod.state",
		Doc: "File that stores up to where events are acknowledged; one for each instance. The plugin requires it. " +
			"Without it, `zitadel-siem pull` begins at `start` each time",
		also: []string{"state", "state_file", "state_dir", "db", "database", "path", "cursor_path", "cursor_file",
			"cursor", "checkpoint", "checkpoint_file", "pos_file", "position_file"},
		field: in(func(s *Settings) any { return &s.StatePath }),
	},
	{
		Name: "start", Kind: KindPoint, Default: "beginning", Example: "24h",
		Doc: "Where to begin when there is no state",
		also: []string{"since", "from", "begin", "start_time", "start_date", "start_at", "start_from", "start_position",
			"from_beginning", "read_from_head", "initial_lookback"},
		field: in(func(s *Settings) any { return &s.Start }),
	},
	{
		Name: "end", Kind: KindTime, Example: "2026-07-01T00:00:00Z",
		Doc:   "Stop at this time and report it; without it, follow until stopped",
		also:  []string{"until", "to", "end_time", "end_date", "end_at", "stop"},
		field: in(func(s *Settings) any { return &s.End }),
	},
	{
		Name: "event_types", Kind: KindList, Example: "user.human.password.check.failed,user.locked",
		Doc:   "Only these event types. `user.human.*` takes every type that begins with `user.human.`, also those of later versions; such a filter is applied here, so add `aggregate_types` to have ZITADEL send less",
		also:  []string{"events", "event", "types", "event_type", "include", "include_event_types", "filter"},
		items: checkEventTypes,
		field: in(func(s *Settings) any { return &s.EventTypes }),
	},
	{
		Name: "exclude_event_types", Kind: KindList, Example: "user.token.added",
		Doc:   "None of these event types; `user.human.*` as in `event_types`",
		also:  []string{"exclude", "exclude_events", "exclude_types", "excludes", "ignore_event_types", "drop_event_types"},
		items: checkEventTypes,
		field: in(func(s *Settings) any { return &s.ExcludeEventTypes }),
	},
	{
		Name: "aggregate_types", Kind: KindList, Example: "user,session,org",
		Doc:   "Only events of these aggregate types",
		also:  []string{"aggregate", "aggregates", "aggregate_type"},
		items: checkAggregateTypes,
		field: in(func(s *Settings) any { return &s.AggregateTypes }),
	},
	{
		Name: "aggregate_ids", Kind: KindList, Example: "279316246871736323",
		Doc:   "Only events of these aggregates, such as one user",
		also:  []string{"aggregate_id"},
		field: in(func(s *Settings) any { return &s.AggregateIDs }),
	},
	{
		Name: "resource_owners", Kind: KindList, Example: "279316246871736320",
		Doc:   "Only events of these organizations",
		also:  []string{"resource_owner", "owner", "owners", "org", "orgs", "org_id", "org_ids", "organization", "organizations", "organisation"},
		field: in(func(s *Settings) any { return &s.ResourceOwners }),
	},
	{
		Name: "editor_user_ids", Kind: KindList, Example: "279316246871736325",
		Doc:   "Only events that these users caused",
		also:  []string{"editor_user_id", "editor", "editors", "user_id", "user_ids", "users", "editor_ids"},
		field: in(func(s *Settings) any { return &s.EditorUserIDs }),
	},
	{
		Name: "exclude_own", Kind: KindSwitch, Default: "off", Example: "on",
		Doc:   "Drop the events that this reader's own token requests cause; they are counted. Off by default, because an audit trail should be complete",
		also:  []string{"exclude_self", "ignore_own", "skip_own"},
		field: in(func(s *Settings) any { return &s.ExcludeOwn }),
	},
	{
		Name: "instance", Kind: KindText, Default: "the host of `url`", Example: "prod-eu",
		Doc:   "Label of this ZITADEL instance in every record and event id. If you change it, the ids change",
		also:  []string{"instance_name", "instance_label", "instance_id", "label"},
		text:  labelError,
		field: in(func(s *Settings) any { return &s.Instance }),
	},
	{
		Name: "tag_by", Kind: KindEnum, Default: "none", Values: []string{"none", "aggregate_type", "event_type"}, Example: "aggregate_type",
		Doc:   "Append the aggregate type or the event type to the tag, so that you can route by tag",
		also:  []string{"tag_key", "split_tag", "tag_from"},
		field: in(func(s *Settings) any { return &s.TagBy }),
	},
	{
		Name: "redact", Kind: KindSwitch, Default: "on", Example: "on",
		Doc:   "Replace hashes, codes, tokens, cookies and keys with `[REDACTED]`",
		also:  []string{"redaction", "mask", "redact_secrets", "sanitize"},
		field: in(func(s *Settings) any { return &s.Redact }),
	},
	{
		Name: "transport", Kind: KindEnum, Default: "grpc", Values: []string{"grpc", "rest"}, Example: "rest",
		Doc:   "API protocol; use rest if the network breaks gRPC",
		also:  []string{"protocol", "mode", "api"},
		field: in(func(s *Settings) any { return &s.Transport }),
	},
	{
		Name: "ca_file", Kind: KindFile, Example: "/etc/ssl/private-ca.pem",
		Doc: "PEM file with the certificate authority of `url`, in addition to those of the system. TLS is always verified",
		also: []string{"ca", "ca_cert", "cacert", "ca_path", "ca_cert_file", "cert_file", "tls_ca_file", "tls_verify", "verify",
			"verify_tls", "skip_verify", "tls_skip_verify", "insecure_skip_verify"},
		public: true, content: certificates,
		field: in(func(s *Settings) any { return &s.CAFile }),
	},
	{
		Name: "insecure", Kind: KindSwitch, Default: "off", Example: "on",
		Doc:   "Allow http to a host other than loopback: the token then travels unencrypted",
		also:  []string{"allow_http", "plaintext", "allow_insecure"},
		field: in(func(s *Settings) any { return &s.Insecure }),
	},
	{
		Name: "poll_interval", Kind: KindDuration, Default: "5s", Min: "100ms", Max: "1d", Example: "5s", Advanced: true,
		Bounds: "ZITADEL Cloud allows 50 requests per second from one address",
		Doc:    "Pause between two requests when all events are read",
		also: []string{"interval", "interval_sec", "interval_nsec", "poll", "polling", "polling_interval", "poll_interval_sec",
			"refresh_interval", "scrape_interval"},
		field: in(func(s *Settings) any { return &s.PollInterval }),
	},
	{
		Name: "settle", Kind: KindDuration, Default: "2s", Min: "0s", Max: "10m", Example: "2s", Advanced: true,
		Bounds: "events are not read before they are this old",
		Doc:    "Do not read events younger than this, because ZITADEL may show younger events before older ones",
		also:   []string{"settle_time", "settle_delay", "lag", "delay"},
		field:  in(func(s *Settings) any { return &s.Settle }),
	},
	{
		// Re-reading 2 s missed no event of a real server under the load of
		// 64 writers; five times that is the margin.
		Name: "overlap", Kind: KindDuration, Default: "10s", Min: "0s", Max: "1h", Example: "10s", Advanced: true,
		Bounds: "all keys of the overlap are kept in memory and in the state",
		Doc:    "Read this much of the past again at each poll, to find events that became visible late. Events that were read before are dropped",
		also:   []string{"lookback", "look_back", "overlap_window"},
		field:  in(func(s *Settings) any { return &s.Overlap }),
	},
	{
		Name: "request_timeout", Kind: KindDuration, Default: "30s", Min: "1s", Max: "10m", Example: "1m", Advanced: true,
		Bounds: "ZITADEL lets a request wait for open transactions; 20s were measured",
		Doc:    "Timeout of one request to ZITADEL",
		also:   []string{"timeout", "http_timeout", "grpc_timeout", "read_timeout", "deadline"},
		field:  in(func(s *Settings) any { return &s.RequestTimeout }),
	},
	{
		Name: "page_size", Kind: KindNumber, Default: "1000", Min: "1", Max: "1000", Example: "1000", Advanced: true,
		Bounds: "ZITADEL returns at most 1000",
		Doc:    "Events per request",
		also:   []string{"page", "limit", "batch_size", "page_limit"},
		field:  in(func(s *Settings) any { return &s.PageSize }),
	},
	{
		Name: "buffer_size", Kind: KindSize, Default: "16M", Min: "2M", Max: "4G", Example: "64M", Advanced: true,
		Bounds: "it must hold one chunk and the page being read",
		Doc:    "Limit of the bytes that are read and not yet acknowledged; at the limit, reading waits. The default of `zitadel-siem pull` is 4M",
		also:   []string{"buffer", "buf_size", "buffer_limit", "buffer_max_size", "max_buffer", "max_memory"},
		field:  in(func(s *Settings) any { return &s.BufferSize }),
	},
	{
		Name: "commit_delay", Kind: KindDuration, Default: "5s", Min: "0s", Max: "10m", Example: "5s", Advanced: true,
		Bounds: "after a crash, the events of this time are read twice",
		Doc:    "How far the state stays behind if Fluent Bit gives no acknowledgement (on an input thread)",
		also:   []string{"commit_interval", "ack_delay", "flush_delay"},
		field:  in(func(s *Settings) any { return &s.CommitDelay }),
	},
	{
		Name: "heartbeat", Kind: KindDuration, Default: "0s", Min: "0s", Max: "1d", Example: "1m", Advanced: true,
		Bounds: "0 turns it off",
		Doc:    "Interval of a record of type `heartbeat` with the reader's metrics, so that a SIEM can tell a quiet audit trail from a broken one",
		also:   []string{"heartbeat_interval", "heart_beat", "beat", "keepalive", "keep_alive", "stats_interval", "metrics_interval"},
		field:  in(func(s *Settings) any { return &s.Heartbeat }),
	},
	{
		Name: "language", Kind: KindText, Default: "en", Example: "de", Advanced: true,
		Doc:   "Language of the localized event names",
		also:  []string{"lang", "locale", "accept_language"},
		text:  languageTag,
		field: in(func(s *Settings) any { return &s.Language }),
	},
}, formatOptions((*Settings).format), enrichOptions, listenOptions)
