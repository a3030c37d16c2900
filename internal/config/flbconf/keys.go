package flbconf

import (
	"slices"
	"strings"
)

// hostKeys are what Fluent Bit 5.1.1 itself takes from any input
// (flb_input_set_property), and "name", "processors" and "routes", which its
// configuration reader takes.
var hostKeys = []string{
	"name", "processors", "routes",
	"tag", "alias", "log_level", "log_suppress_interval", "routable", "mem_buf_limit",
	"storage.type", "storage.pause_on_chunks_overlimit",
	"threaded", "thread.ring_buffer.capacity", "thread.ring_buffer.window",
	"rate_window", "rate_gate", "rate_gate.max_bytes", "rate_gate.max_records", "rate_gate.backpressure", "rate_gate.resume_ratio",
}

// idleKeys are also Fluent Bit's, but do nothing for a Go plugin, each with
// our option that does what is meant.
var idleKeys = map[string]string{
	"host": "url", "port": "url", "listen": "url", "ipv6": "url",
	"tls": "url", "tls.verify": "ca_file", "tls.verify_client_cert": "ca_file", "tls.verify_hostname": "ca_file",
	"tls.debug": "", "tls.vhost": "url", "tls.ca_path": "ca_file", "tls.ca_file": "ca_file", "tls.crt_file": "", "tls.key_file": "",
	"tls.key_passwd": "", "tls.min_version": "", "tls.max_version": "", "tls.ciphers": "",
}

// idle says whether key is Fluent Bit's own without effect here.
func idle(key string) (ours string, ok bool) {
	if ours, ok = idleKeys[key]; ok {
		return ours, true
	}
	switch {
	case strings.HasPrefix(key, "net."):
		return "request_timeout", true
	case strings.HasPrefix(key, "oauth2"):
		return "client_id", true
	}
	return "", false
}

func isHostKey(key string) bool { return slices.Contains(hostKeys, key) }

// isOff is Fluent Bit's false (flb_utils_bool).
func isOff(v string) bool {
	switch strings.ToLower(v) {
	case "off", "false", "no":
		return true
	}
	return false
}

func isOn(v string) bool {
	switch strings.ToLower(v) {
	case "on", "true", "yes":
		return true
	}
	return false
}
