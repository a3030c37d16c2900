package flbconf

import (
	"slices"
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// effect is what a plugin of Fluent Bit does to log records.
type effect int

const (
	passes  effect = iota // filter: passes each record on unchanged; output: delivers it
	changes               // passes each record on with other content
	drops                 // drops some records
	empties               // drops every record
	holds                 // keeps records in memory as long as outputs are stuck
	waits                 // keeps records in memory for a moment
	loses                 // loses records in some situations
	opaque                // only its program knows
)

// ability is one thing that plugins can do. The first row of a plugin whose condition
// holds counts.
type ability struct {
	plugins string                        // names
	when    func(*checker, *section) bool // nil: always
	effect  effect
	does    string // continues "it"
	key     string // the setting that decides
	fix     string // "key value", or nothing
	picks   bool   // it drops by content, which is intended for the lines of a log
}

// filters are all filters and processors of Fluent Bit 5.1.1, by its source. Filters
// can be processors too. Processors for metrics or traces do not touch log records.
var filters = []ability{
	{plugins: "aws ecs", effect: changes, does: "adds metadata"},
	{plugins: "checklist geoip2 sysinfo", effect: changes, does: "adds fields"},
	{plugins: "content_modifier modify nest type_converter", effect: changes, does: "changes fields"},
	{plugins: "cumulative_to_delta labels metrics_selector sampling stdout tda template", effect: passes},
	{plugins: "alter_size", effect: drops, does: "adds or removes records, for tests"},
	{plugins: "expect", when: is("action", "exit"), effect: loses, does: "ends Fluent Bit at the first record that is not as expected", key: "action", fix: "action warn"},
	{plugins: "expect", when: is("action", "result_key"), effect: changes, does: "adds a field"},
	{plugins: "expect", effect: passes},
	{plugins: "grep", when: given("regex", "exclude"), effect: drops, does: "drops records by their content", key: "regex", picks: true},
	{plugins: "grep", effect: passes},
	{plugins: "kubernetes", when: on("k8s-logging.exclude"), effect: drops, does: "drops the lines of each pod that has an annotation for it", key: "k8s-logging.exclude", fix: "k8s-logging.exclude off"},
	{plugins: "kubernetes", effect: changes, does: "adds metadata"},
	{plugins: "log_to_metrics", when: on("discard_logs"), effect: empties, does: "counts each record and drops it", key: "discard_logs", fix: "discard_logs off"},
	{plugins: "log_to_metrics", effect: passes},
	{plugins: "lua", effect: opaque, does: "passes on what its script returns"},
	{plugins: "multiline", when: is("mode", "partial_message"), effect: waits, does: "keeps the parts of a split message in memory until the last one arrives", key: "mode"},
	{plugins: "multiline", when: off("buffer"), effect: changes, does: "joins records", key: "buffer"},
	{plugins: "multiline rewrite_tag", when: memoryEmitter, effect: holds, does: "moves records from the files into memory, where they are lost when Fluent Bit stops", key: emitter, fix: emitter + " filesystem"},
	{plugins: "multiline", when: smallEmitter, effect: drops, does: "drops what arrives faster than emitter_mem_buf_limit allows", key: limit, fix: limit + " 0"},
	{plugins: "multiline", effect: waits, does: "keeps records in memory for flush_ms, at most emitter_mem_buf_limit (10M) of them at once", key: "flush_ms"},
	{plugins: "nightfall", effect: changes, does: "sends records to another service and changes fields"},
	{plugins: "opentelemetry_envelope", effect: changes, does: "adds an envelope"},
	{plugins: "parser", effect: changes, does: "replaces what it parses"},
	{plugins: "record_modifier", when: emptiesRecords, effect: drops, does: "drops records of which no field is left", key: "allowlist_key", picks: true},
	{plugins: "record_modifier", effect: changes, does: "changes fields"},
	{plugins: "rewrite_tag", effect: waits, does: "keeps records in memory for a moment"},
	{plugins: "sql", when: contains("query", " where "), effect: drops, does: "drops records that its WHERE does not select", key: "query", picks: true},
	{plugins: "sql", effect: changes, does: "passes on the fields that it selects"},
	{plugins: "tensorflow", effect: opaque, does: "passes on what its model returns"},
	{plugins: "throttle throttle_size", effect: drops, does: "drops what arrives faster than its rate", key: "rate"},
	{plugins: "wasm", effect: opaque, does: "passes on what its program returns"},
}

const (
	afterRefusal = ", whatever retry_limit says: watch fluentbit_output_dropped_records_total"
	refusesSome  = "drops some of what the server refuses" + afterRefusal
	datagrams    = "sends datagrams, which can be lost and are not sent again"
	noAck        = "gets no acknowledgement: what was on its way when the other side died is lost"
)

// outputs are all outputs of Fluent Bit 5.1.1, by its source and by measurement. In this
// table passes means that the output delivers, and empties that it does not.
var outputs = []ability{
	{plugins: "azure_blob azure azure_logs_ingestion bigquery datadog gcs kafka_rest kinesis_firehose kinesis_streams logdna nrlogs opensearch pgsql skywalking slack stdout td " + PluginName},
	{plugins: "calyptia prometheus_exporter prometheus_remote_write", effect: empties, does: "takes metrics only"},
	{plugins: "counter flowcounter", effect: empties, does: "counts records and keeps none"},
	{plugins: "exit", effect: empties, does: "ends Fluent Bit and keeps no record"},
	{plugins: "null", effect: empties, does: "keeps no record"},
	{plugins: "plot", effect: empties, does: "writes one number of each record"},
	{plugins: "retry", effect: empties, does: "fails, for tests"},
	{plugins: "vivo_exporter", effect: empties, does: "shows the last records and keeps none"},

	{plugins: "azure_kusto chronicle cloudwatch_logs oracle_log_analytics stackdriver", does: refusesSome},
	{plugins: "es", effect: loses, does: "counts a chunk as delivered as soon as one of its documents is accepted, and loses those that were refused", key: "name", fix: "name opensearch"},
	{plugins: "file", does: "drops what it cannot write (a full disk, a missing directory)"},
	{plugins: "forward", when: notOn("require_ack_response"), effect: loses, does: "loses what was on its way when the connection broke", key: "require_ack_response", fix: "require_ack_response on"},
	{plugins: "forward"},
	{plugins: "gelf syslog", when: udp, effect: loses, does: datagrams, key: "mode", fix: "mode tls"},
	{plugins: "gelf syslog tcp websocket", does: noAck},
	{plugins: "http splunk", does: "drops what the server refuses (400, 401, 403, 404, 413 and others)" + afterRefusal},
	{plugins: "influxdb", effect: loses, does: "counts a chunk as delivered whatever the server answers", key: "name"},
	{plugins: "kafka", effect: loses, does: "counts records as delivered while they wait in the memory of its library, where they are lost when Fluent Bit stops", key: "name"},
	{plugins: "lib", does: "passes records to the program that runs Fluent Bit, which cannot be judged"},
	{plugins: "loki", does: "drops what the server answers with 400 (too old, too many streams)" + afterRefusal},
	{plugins: "nats", effect: loses, does: "drops records when the server cannot be reached, whatever retry_limit says", key: "name"},
	{plugins: "opentelemetry", does: "drops what the server refuses (4xx but 429, and 500)" + afterRefusal},
	{plugins: "s3", does: "counts records as delivered while they wait in store_dir (default /tmp/fluent-bit/s3): keep that directory"},
	{plugins: "udp", effect: loses, does: datagrams, key: "name", fix: "name tcp"},
}

func udp(c *checker, s *section) bool {
	mode := strings.ToLower(c.value(s, "mode"))
	return mode == "" || mode == "udp" || mode == "dtls"
}

const (
	emitter = "emitter_storage.type"
	limit   = "emitter_mem_buf_limit"
)

func on(key string) func(*checker, *section) bool {
	return func(c *checker, s *section) bool { return isOn(c.value(s, key)) }
}

func off(key string) func(*checker, *section) bool {
	return func(c *checker, s *section) bool { return isOff(c.value(s, key)) }
}

func notOn(key string) func(*checker, *section) bool {
	return func(c *checker, s *section) bool { return !isOn(c.value(s, key)) }
}

func is(key, value string) func(*checker, *section) bool {
	return func(c *checker, s *section) bool { return strings.EqualFold(c.value(s, key), value) }
}

func given(keys ...string) func(*checker, *section) bool {
	return func(_ *checker, s *section) bool { return slices.ContainsFunc(keys, s.has) }
}

func contains(key, text string) func(*checker, *section) bool {
	return func(c *checker, s *section) bool {
		return strings.Contains(strings.Join(strings.Fields(strings.ToLower(c.value(s, key))), " ")+" ", text)
	}
}

// memoryEmitter reports whether a filter emits into memory. A processor of an input
// emits into the input's own storage.
func memoryEmitter(c *checker, s *section) bool {
	return !c.ofInput[s] && !strings.EqualFold(c.value(s, emitter), "filesystem")
}

// smallEmitter reports whether a filter's emitter takes less at once than by default.
// multiline loses records that it does not take; rewrite_tag leaves them under their
// old tag.
func smallEmitter(c *checker, s *section) bool {
	const byDefault = 10_000_000
	size := config.Bytes(c.value(s, limit), byDefault)
	return !c.ofInput[s] && size > 0 && size < byDefault
}

// alwaysThere are fields that each of our records has.
var alwaysThere = []string{"event", "instance", "source"}

// emptiesRecords reports whether record_modifier can remove every field of a record. It
// drops such records.
func emptiesRecords(_ *checker, s *section) bool {
	list := false
	for _, p := range s.props {
		switch p.key {
		case "allowlist_key", "whitelist_key":
			if list = true; slices.Contains(alwaysThere, strings.ToLower(p.value)) {
				return false
			}
		case "record", "uuid_key":
			return false
		}
	}
	return list
}

// abilityOf is what a plugin does; false for one that is not known.
func (c *checker) abilityOf(s *section) (ability, bool) {
	name, table := c.name(s), filters
	if s.kind == "output" {
		table = outputs
	}
	for _, a := range table {
		if slices.Contains(strings.Fields(a.plugins), name) && (a.when == nil || a.when(c, s)) {
			return a, true
		}
	}
	return ability{}, false
}

// keeping reports whether an output delivers what it gets.
func (c *checker) keeping(s *section) bool {
	a, _ := c.abilityOf(s)
	return a.effect != empties
}
