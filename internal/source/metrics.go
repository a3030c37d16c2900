package source

import (
	"maps"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/calls"
	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/listen"
	"github.com/zitadel-siem/zitadel-siem/internal/metric"
	"github.com/zitadel-siem/zitadel-siem/internal/pipe"
)

var readerMetrics = []metric.Definition[*events.Stats]{
	metric.Age("watermark_age_seconds", "seconds since the watermark; everything before the watermark is read", (*events.Stats).Watermark),
	metric.Age("read_up_to_age_seconds", "seconds since the time up to which every event was read; does not grow while ZITADEL writes nothing; unknown until the reader has caught up", (*events.Stats).ReadUpTo),
	metric.Age("last_success_age_seconds", "seconds since ZITADEL last answered", (*events.Stats).LastSuccess),
	metric.Counter("holes_found", "gaps in the sequence numbers of an aggregate", func(r *events.Stats) uint64 { return r.HolesFound.Load() }),
	metric.Counter("holes_filled", "missing events that came later", func(r *events.Stats) uint64 { return r.HolesFilled.Load() }),
	metric.Counter("holes_given_up", "gaps that were given up after one hour", func(r *events.Stats) uint64 { return r.HolesGivenUp.Load() }),
	metric.Gauge("holes_open", "gaps whose events are being asked for", func(r *events.Stats) uint64 { return uint64(max(0, r.HolesOpen.Load())) }),
	metric.Counter("late_events", "events that became visible after newer ones", func(r *events.Stats) uint64 { return r.Late.Load() }),
	metric.Counter("duplicates_dropped", "events read again in the overlap, and dropped", func(r *events.Stats) uint64 { return r.Duplicates.Load() }),
	metric.Counter("pushed", "events that came by webhook before they were pulled", func(r *events.Stats) uint64 { return r.Pushed.Load() }),
	metric.Counter("pushed_known", "webhooks whose event had been read already", func(r *events.Stats) uint64 { return r.PushedKnown.Load() }),
	metric.Counter("filtered", "events that the filters drop", func(r *events.Stats) uint64 { return r.Filtered.Load() + r.Own.Load() }),
	metric.Counter("unreadable", "events that ZITADEL cannot return", func(r *events.Stats) uint64 { return r.Unreadable.Load() }),
	metric.Counter("unproved", "groups of events with one creation date that may be incomplete", func(r *events.Stats) uint64 { return r.Unproved.Load() }),
	metric.Counter("hidden", "sequence numbers before the first one that ZITADEL shows; retention hides them", func(r *events.Stats) uint64 { return r.Hidden.Load() }),
	metric.Counter("sweep_found", "events that the sweep found: they became visible later than overlap", func(r *events.Stats) uint64 { return r.SweepFound.Load() }),
	metric.Counter("sweep_repeated", "events that came out again because they could not be told from late ones; they have the same event.id", func(r *events.Stats) uint64 { return r.SweepRepeated.Load() }),
	metric.Counter("sweep_missing", "events that ZITADEL showed before and does not show any more", func(r *events.Stats) uint64 { return r.SweepMissing.Load() }),
	metric.Age("sweep_age_seconds", "seconds since the date up to which the log was read a second time; a little more than the option sweep", (*events.Stats).Swept),
	metric.Counter("calls", "requests to ZITADEL", func(r *events.Stats) uint64 { return r.Calls.Load() }),
	metric.Counter("retries", "requests that were retried", func(r *events.Stats) uint64 { return r.Retries.Load() }),
}

var formatMetrics = []metric.Definition[*format.Format]{
	metric.Counter("tier_left_out", "records that the option tier leaves out", func(f *format.Format) uint64 { return f.LeftOut.Load() }),
	metric.Counter("types_unknown", "records of an event type that this version does not know", func(f *format.Format) uint64 { return f.Unknown.Load() }),
}

var namesMetrics = []metric.Definition[*format.Names]{
	metric.Gauge("names_known", "ids that names, or the like, are known of; metrics of names exist only with enrich", func(n *format.Names) uint64 { return uint64(n.Stats().Entries) }),
	metric.Gauge("names_bytes", "bytes of memory that they need", func(n *format.Names) uint64 { return uint64(n.Stats().Bytes) }),
	metric.Counter("names_evicted", "ids that were forgotten because enrich_size was reached", func(n *format.Names) uint64 { return n.Stats().Evicted }),
	metric.Gauge("names_to_learn", "event types whose past is not read yet; see learn", func(n *format.Names) uint64 { return n.ToLearn.Load() }),
	metric.Counter("names_learned", "events that learn has read", func(n *format.Names) uint64 { return n.Learned.Load() }),
	metric.Counter("names_failed", "panics while names were learned or looked up; the records came out", func(n *format.Names) uint64 { return n.Failed.Load() }),
}

var callMetrics = []metric.Definition[*calls.Store]{
	metric.Gauge("api_calls_known", "API calls in memory, for the addresses of events; metrics of API calls exist only with webhook_listen and call_addresses", func(s *calls.Store) uint64 { return uint64(s.Stats().Calls) }),
	metric.Counter("api_calls_forgotten", "API calls that were forgotten early, because there were too many", func(s *calls.Store) uint64 { return s.Stats().Forgotten }),
	metric.Counter("call_addresses_found", "events that got the client address of their API call", func(s *calls.Store) uint64 { return s.Stats().Found }),
	metric.Counter("call_addresses_ambiguous", "events without an address because API calls from several addresses fit", func(s *calls.Store) uint64 { return s.Stats().Ambiguous }),
}

var alertMetrics = []metric.Definition[detectorStats]{
	metric.Counter("alerts", "alerts that rules gave; metrics of alerts exist only with --detect", func(s detectorStats) uint64 { return s.Alerts }),
	metric.Gauge("alert_groups", "users, addresses and the like about which rules count events", func(s detectorStats) uint64 { return uint64(s.Groups) }),
	metric.Gauge("alert_bytes", "bytes of memory that they need", func(s detectorStats) uint64 { return uint64(s.Bytes) }),
	metric.Counter("alert_groups_evicted", "groups that were forgotten for lack of room while they still counted", func(s detectorStats) uint64 { return s.Evicted }),
	metric.Counter("alert_events_dropped", "events of groups that had too many", func(s detectorStats) uint64 { return s.Dropped }),
	metric.Counter("alert_events_ahead", "records dated more than five minutes after they came; rules that count use the time of arrival", func(s detectorStats) uint64 { return s.Ahead }),
	metric.Counter("alerts_unsent", "alerts about the reader itself that were dropped, because nothing was accepted for long", func(s detectorStats) uint64 { return s.Unsent }),
	metric.Counter("alert_rules_failed", "panics in rules; the records came out without these alerts", func(s detectorStats) uint64 { return s.Failed }),
}

var webhookMetrics = []metric.Definition[*listen.Listener]{
	metric.Counter("webhooks_accepted", "webhook requests that were stored in the spool; metrics of webhooks exist only with webhook_listen", (*listen.Listener).Accepted),
	metric.Counter("webhooks_refused", "webhook requests that were refused", (*listen.Listener).Refused),
	metric.Counter("webhooks_repeated", "webhook requests that had been accepted before", (*listen.Listener).Repeated),
	metric.Counter("webhooks_unknown", "accepted webhook requests of an unknown form", (*listen.Listener).Unknown),
	metric.Counter("webhooks_left_out", "spool entries that cannot be read", (*listen.Listener).LeftOut),
	metric.Gauge("webhooks_spooled", "spool entries that are not acknowledged yet", (*listen.Listener).Spooled),
}

// Legend returns every metric of a source and its pipe, without values.
func Legend() []metric.Metric {
	list := metric.Legend(metric.Legend(pipe.Legend(), readerMetrics), formatMetrics)
	return metric.Legend(metric.Legend(metric.Legend(metric.Legend(list, namesMetrics), alertMetrics), webhookMetrics), callMetrics)
}

// Metrics returns the metrics of s and its pipe as of now.
func (s *Source) Metrics() metric.Snapshot { return s.Pipe.Metrics(time.Now()) }

// AppendMetrics is Metrics for many sources: the list of the snapshot is appended to list.
func (s *Source) AppendMetrics(list []metric.Metric, now time.Time) metric.Snapshot {
	return s.Pipe.AppendMetrics(list, now)
}

// addMetrics adds those of the source to those of its pipe.
func (s *Source) addMetrics(to *metric.Snapshot) {
	to.List = metric.Read(to.List, readerMetrics, &s.Reader, to.At)
	to.List = metric.Read(to.List, formatMetrics, s.opts.Format, to.At)
	if names := s.opts.Format.Names(); names != nil {
		to.List = metric.Read(to.List, namesMetrics, names, to.At)
	}
	if s.detector != nil {
		stats := s.detector.stats()
		stats.Unsent = s.Pipe.Stats.BesideDropped.Load()
		to.List = metric.Read(to.List, alertMetrics, stats, to.At)
	}
	if s.Listener != nil {
		to.List = metric.Read(to.List, webhookMetrics, s.Listener, to.At)
	}
	if c := s.opts.Format.Calls(); c != nil {
		to.List = metric.Read(to.List, callMetrics, c, to.At)
	}
	maps.Copy(to.Errors, s.Reader.Errors())
}
