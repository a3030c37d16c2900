package schema

import "slices"

// reserved are the top-level keys of the records of each format, sorted.
var reserved = [...][]string{
	ECS: {
		"@timestamp", "client", "ecs", "error", "event", "group", "http", "log", "message", "observer", "organization", "related", "service", "source", "span", "trace", "url",
		"user", "user_agent", "zitadel",
	},
	OCSF: {
		"account_switch_type", "account_switch_type_id", "activity_id", "activity_name", "actor", "api", "auth_factors", "auth_protocol", "auth_protocol_id", "category_name", "category_uid",
		"class_name", "class_uid", "duration", "entity", "entity_result", "group", "http_request", "iam_role", "iam_roles", "is_mfa", "is_remote", "message", "metadata", "privileges", "raw_data",
		"resources", "service", "session", "severity", "severity_id", "src_endpoint", "status", "status_detail", "status_id", "time", "timezone_offset", "type_name", "type_uid", "unmapped",
		"updated_user", "user",
	},
	CEF:  {"app", "host", "message", "msgid", "severity"},
	LEEF: {"app", "host", "message", "msgid", "severity"},
}

// Reserved reports whether name is a top-level key of the records of f: what is
// beside a line, such as a pod's labels, must not have it.
func (f Format) Reserved(name string) bool {
	_, found := slices.BinarySearch(reserved[f], name)
	return found
}
