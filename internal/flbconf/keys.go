package flbconf

import (
	"slices"
	"strings"
)

// hosted is what Fluent Bit 5.1.1 itself takes from any input
// (flb_input_set_property), output (flb_output_set_property) or filter
// (flb_filter_set_property), so that a plugin never sees it. No option of ours may have
// one of these names; testdata/kept.txt has them with their places in the source.
type hosted struct {
	keys     []string          // usable beside ours
	idle     map[string]string // have no effect for a Go plugin; each with our option for the same purpose
	prefixes map[string]string // the same for whole families of keys
	tlsBy    string            // the option that decides about TLS instead
}

// firstCounts are keys of which Fluent Bit uses the first value if they are given
// twice. Of its other keys it uses the last value.
var firstCounts = []string{"name", "processors", "routes"}

// emptied are keys that a later empty value resets, for example because a variable is
// not set. For other keys an empty value has no effect.
var emptied = []string{"match", "host", "port", "listen", "retry_limit"}

var hostedBy = map[string]hosted{
	"input": {
		keys: []string{
			"name", "processors", "routes", "telemetry",
			"tag", "alias", "log_level", "log_suppress_interval", "routable", "mem_buf_limit",
			"storage.type", "storage.pause_on_chunks_overlimit",
			"threaded", "thread.ring_buffer.capacity", "thread.ring_buffer.window",
			"rate_window", "rate_gate", "rate_gate.max_bytes", "rate_gate.max_records", "rate_gate.backpressure", "rate_gate.resume_ratio",
		},
		idle: map[string]string{
			"host": "url", "port": "url", "listen": "webhook_listen", "ipv6": "url",
			"tls": "url", "tls.verify": "ca_file", "tls.verify_client_cert": "ca_file", "tls.verify_hostname": "ca_file",
			"tls.debug": "", "tls.vhost": "url", "tls.ca_path": "ca_file", "tls.ca_file": "ca_file", "tls.crt_file": "", "tls.key_file": "",
			"tls.key_passwd": "", "tls.min_version": "", "tls.max_version": "", "tls.ciphers": "",
		},
		prefixes: map[string]string{"net.": "request_timeout", "oauth2": "client_id"},
		tlsBy:    "the url",
	},
	"output": {
		keys: []string{
			"name", "processors", "routes",
			"match", "match_regex", "alias", "log_level", "log_suppress_interval", "retry_limit", "workers", "storage.total_limit_size",
		},
		idle: map[string]string{
			"host": "forward", "port": "forward", "ipv6": "forward",
			"tls": "forward", "tls.verify": "ca_file", "tls.verify_hostname": "ca_file",
			"tls.debug": "", "tls.vhost": "forward", "tls.ca_path": "ca_file", "tls.ca_file": "ca_file",
			"tls.crt_file": "cert_file", "tls.key_file": "cert_key_file",
			"tls.key_passwd": "", "tls.min_version": "", "tls.max_version": "", "tls.ciphers": "",
		},
		prefixes: map[string]string{"net.": "ack_timeout", "oauth2": "", "tls.proxy.": "", "tls.windows.": "", "_debug.http.": ""},
		tlsBy:    "forward",
	},
	"filter":    {keys: []string{"match", "match_regex", "alias", "log_level", "log_suppress_interval"}},
	"processor": {keys: []string{"match", "match_regex", "alias", "log_level", "log_suppress_interval"}},
}

// lastCounts reports whether the last value of a key counts if it is given twice.
func lastCounts(s *section, key string) bool {
	if s.kind == "service" {
		return true
	}
	host := hostedBy[s.kind]
	_, idle := host.ignored(key)
	return (idle || slices.Contains(host.keys, key)) && !slices.Contains(firstCounts, key)
}

// ignored reports whether Fluent Bit takes key itself although it has no effect here,
// and which option of ours does what is meant.
func (h hosted) ignored(key string) (ours string, ok bool) {
	if ours, ok = h.idle[key]; ok {
		return ours, true
	}
	for prefix, ours := range h.prefixes {
		if strings.HasPrefix(key, prefix) {
			return ours, true
		}
	}
	return "", false
}

// isOff reports whether v is one of Fluent Bit's words for false (flb_utils_bool).
func isOff(v string) bool { return slices.Contains([]string{"off", "false", "no"}, strings.ToLower(v)) }

func isOn(v string) bool { return slices.Contains([]string{"on", "true", "yes"}, strings.ToLower(v)) }
