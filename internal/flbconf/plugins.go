package flbconf

import (
	"slices"
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// effect is what a filter or a processor does to log records.
type effect int

const (
	passes  effect = iota // gives each record on as it is
	changes               // gives each record on with other content
	drops                 // leaves records out
	empties               // leaves every record out
	holds                 // keeps records in memory for as long as outputs are stuck
	waits                 // keeps records in memory for a moment
	ends                  // can end Fluent Bit
	opaque                // only its program knows
)

// ability is one thing that a filter or processor can do. Of those with a
// plugin's name, the first whose condition holds counts.
type ability struct {
	plugin string
	when   func(*checker, *section) bool // nil: always
	effect effect
	does   string // continues "it"
	key    string // the setting that decides
	fix    string // "key value", or nothing
	picks  bool   // it leaves out by content, as one wants for the lines of a log
}

// abilities are those of all filters and processors of Fluent Bit 5.1.1, by its
// source. Processors have the filters' names too; those that only know metrics or
// traces leave log records alone.
var abilities = []ability{
	{plugin: "alter_size", effect: drops, does: "adds or removes records, for tests"},
	{plugin: "aws", effect: changes, does: "adds metadata"},
	{plugin: "checklist", effect: changes, does: "adds fields"},
	{plugin: "content_modifier", effect: changes, does: "changes fields"},
	{plugin: "cumulative_to_delta", effect: passes},
	{plugin: "ecs", effect: changes, does: "adds metadata"},
	{plugin: "expect", when: is("action", "exit"), effect: ends, does: "ends Fluent Bit at the first record that is not as expected", key: "action", fix: "action warn"},
	{plugin: "expect", when: is("action", "result_key"), effect: changes, does: "adds a field"},
	{plugin: "expect", effect: passes},
	{plugin: "geoip2", effect: changes, does: "adds fields"},
	{plugin: "grep", when: given("regex", "exclude"), effect: drops, does: "leaves out records by their content", key: "regex", picks: true},
	{plugin: "grep", effect: passes},
	{plugin: "kubernetes", when: on("k8s-logging.exclude"), effect: drops, does: "leaves out the lines of each pod that asks for it by an annotation", key: "k8s-logging.exclude", fix: "k8s-logging.exclude off"},
	{plugin: "kubernetes", effect: changes, does: "adds metadata"},
	{plugin: "labels", effect: passes},
	{plugin: "log_to_metrics", when: on("discard_logs"), effect: empties, does: "counts each record and leaves it out", key: "discard_logs", fix: "discard_logs off"},
	{plugin: "log_to_metrics", effect: passes},
	{plugin: "lua", effect: opaque, does: "gives on what its script returns"},
	{plugin: "metrics_selector", effect: passes},
	{plugin: "modify", effect: changes, does: "changes fields"},
	{plugin: "multiline", when: is("mode", "partial_message"), effect: waits, does: "keeps the parts of a split message in memory until the last one came", key: "mode"},
	{plugin: "multiline", when: off("buffer"), effect: changes, does: "joins records", key: "buffer"},
	{plugin: "multiline", when: memoryEmitter, effect: holds, does: "takes our records out of the files and holds them in memory, where a stop loses them", key: emitter, fix: emitter + " filesystem"},
	{plugin: "multiline", when: smallEmitter, effect: drops, does: "leaves out what comes faster than emitter_mem_buf_limit lets it", key: limit, fix: limit + " 0"},
	{plugin: "multiline", effect: waits, does: "keeps records in memory for flush_ms, at most emitter_mem_buf_limit (10M) of them at once", key: "flush_ms"},
	{plugin: "nest", effect: changes, does: "changes fields"},
	{plugin: "nightfall", effect: changes, does: "sends records to another service and changes fields"},
	{plugin: "opentelemetry_envelope", effect: changes, does: "adds an envelope"},
	{plugin: "parser", effect: changes, does: "replaces what it parses"},
	{plugin: "record_modifier", when: emptiesRecords, effect: drops, does: "leaves out records of which no field is left", key: "allowlist_key", picks: true},
	{plugin: "record_modifier", effect: changes, does: "changes fields"},
	{plugin: "rewrite_tag", when: memoryEmitter, effect: holds, does: "takes our records out of the files and holds them in memory, where a stop loses them", key: emitter, fix: emitter + " filesystem"},
	{plugin: "rewrite_tag", effect: waits, does: "keeps records in memory for a moment"},
	{plugin: "sampling", effect: passes},
	{plugin: "sql", when: contains("query", " where "), effect: drops, does: "leaves out records that its WHERE does not take", key: "query", picks: true},
	{plugin: "sql", effect: changes, does: "gives on the fields that it selects"},
	{plugin: "stdout", effect: passes},
	{plugin: "sysinfo", effect: changes, does: "adds fields"},
	{plugin: "tda", effect: passes},
	{plugin: "template", effect: passes},
	{plugin: "tensorflow", effect: opaque, does: "gives on what its model returns"},
	{plugin: "throttle", effect: drops, does: "leaves out what comes faster than its rate", key: "rate"},
	{plugin: "throttle_size", effect: drops, does: "leaves out what comes faster than its rate", key: "rate"},
	{plugin: "type_converter", effect: changes, does: "changes fields"},
	{plugin: "wasm", effect: opaque, does: "gives on what its program returns"},
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

// memoryEmitter says that a filter emits into memory. A processor of an input
// emits into the input's own storage.
func memoryEmitter(c *checker, s *section) bool {
	return !c.ofInput[s] && !strings.EqualFold(c.value(s, emitter), "filesystem")
}

// smallEmitter says that a filter's emitter takes less at once than by default. A
// record that it does not take stays under its tag after rewrite_tag, and is lost
// after multiline.
func smallEmitter(c *checker, s *section) bool {
	const byDefault = 10_000_000
	size := config.Bytes(c.value(s, limit), byDefault)
	return !c.ofInput[s] && size > 0 && size < byDefault
}

// alwaysThere are fields that each of our records has.
var alwaysThere = []string{"event", "instance", "source"}

// emptiesRecords says that record_modifier can leave nothing of a record, which
// it then leaves out.
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

// abilityOf is what a filter or a processor does, false for one that is not known.
func (c *checker) abilityOf(s *section) (ability, bool) {
	name := c.name(s)
	for _, a := range abilities {
		if a.plugin == name && (a.when == nil || a.when(c, s)) {
			return a, true
		}
	}
	return ability{}, false
}

// delivery is what an output does with log records that other outputs do not.
type delivery struct {
	sure  bool   // it cannot fail, so that nothing is retried
	keeps bool   // it delivers; otherwise what comes to it is gone
	does  string // continues "it"; a note where it delivers
	when  func(*checker, *section) bool
	why   string // it loses records: a warning
	key   string
	fix   string
}

const (
	refused  = "drops what the server refuses (400, 401, 403, 404, 413 and others), whatever retry_limit says: watch fluentbit_output_dropped_records_total"
	refusedA = "drops some of what the server refuses, whatever retry_limit says: watch fluentbit_output_dropped_records_total"
	noAck    = "gets no acknowledgement: what was on its way when the other side died is lost"
)

// deliveries are the outputs of Fluent Bit 5.1.1 that there is something to say
// about, by its source and by measurement.
var deliveries = map[string]delivery{
	"calyptia":                {does: "takes metrics only"},
	"counter":                 {sure: true, does: "counts records and keeps none"},
	"exit":                    {sure: true, does: "ends Fluent Bit and keeps no record"},
	"flowcounter":             {sure: true, does: "counts records and keeps none"},
	"null":                    {sure: true, does: "keeps no record"},
	"plot":                    {does: "writes one number of each record"},
	"prometheus_exporter":     {does: "takes metrics only"},
	"prometheus_remote_write": {does: "takes metrics only"},
	"retry":                   {does: "fails, for tests"},
	"vivo_exporter":           {sure: true, does: "shows the last records and keeps none"},

	"stdout": {sure: true, keeps: true},
	"lib":    {keeps: true, does: "gives records to the program that runs Fluent Bit, which cannot be judged"},

	"azure_blob":           {keeps: true},
	"azure_kusto":          {keeps: true, does: refusedA},
	"azure_logs_ingestion": {keeps: true}, "azure": {keeps: true}, "bigquery": {keeps: true},
	"chronicle":        {keeps: true, does: refusedA},
	"cloudwatch_logs":  {keeps: true, does: refusedA},
	"datadog":          {keeps: true},
	"es":               {keeps: true, key: "name", why: "it takes a chunk for delivered as soon as one of its documents is accepted, and loses those that were refused", fix: "name opensearch"},
	"file":             {keeps: true, does: "drops what it cannot write (a full disk, a missing directory)"},
	"forward":          {keeps: true, when: notOn("require_ack_response"), key: "require_ack_response", why: "what was on its way when the connection broke is lost", fix: "require_ack_response on"},
	"gcs":              {keeps: true},
	"gelf":             {keeps: true, when: udp, key: "mode", why: "datagrams get lost and nothing is sent again", fix: "mode tls", does: noAck},
	"http":             {keeps: true, does: refused},
	"influxdb":         {keeps: true, key: "name", why: "it takes a chunk for delivered whatever the server answers"},
	"kafka":            {keeps: true, key: "name", why: "it counts records as delivered that wait in the memory of its library, where a stop loses them"},
	"kafka_rest":       {keeps: true},
	"kinesis_firehose": {keeps: true}, "kinesis_streams": {keeps: true}, "logdna": {keeps: true},
	"loki":                 {keeps: true, does: "drops what the server answers with 400 (too old, too many streams), whatever retry_limit says: watch fluentbit_output_dropped_records_total"},
	"nats":                 {keeps: true, key: "name", why: "it drops records when the server cannot be reached, whatever retry_limit says"},
	"nrlogs":               {keeps: true},
	"opensearch":           {keeps: true},
	"opentelemetry":        {keeps: true, does: "drops what the server refuses (4xx but 429, and 500), whatever retry_limit says: watch fluentbit_output_dropped_records_total"},
	"oracle_log_analytics": {keeps: true, does: refusedA},
	"pgsql":                {keeps: true},
	"s3":                   {keeps: true, does: "counts records as delivered that wait in store_dir (default /tmp/fluent-bit/s3): keep that directory"},
	"skywalking":           {keeps: true}, "slack": {keeps: true},
	"splunk":      {keeps: true, does: refused},
	"stackdriver": {keeps: true, does: refusedA},
	"syslog":      {keeps: true, when: udp, key: "mode", why: "datagrams get lost and nothing is sent again", fix: "mode tls", does: noAck},
	"tcp":         {keeps: true, does: noAck},
	"td":          {keeps: true},
	"udp":         {keeps: true, key: "name", why: "datagrams get lost and nothing is sent again", fix: "name tcp"},
	"websocket":   {keeps: true, does: noAck},
	PluginName:    {keeps: true},
}

func udp(c *checker, s *section) bool {
	mode := strings.ToLower(c.value(s, "mode"))
	return mode == "" || mode == "udp" || mode == "dtls"
}
