package pipe

import (
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/metric"
)

// KindRefused is the kind of an error of the side that takes the records.
const KindRefused = "refused"

var metrics = []metric.Definition[*Pipe]{
	metric.Counter("events", "events handed over", func(p *Pipe) uint64 { return p.Stats.Taken.Load() }),
	metric.Age("lag_seconds", "seconds since the creation of the newest event handed over; grows while ZITADEL writes nothing", func(p *Pipe) time.Time { return p.Stats.Newest() }),
	metric.Age("last_handover_age_seconds", "seconds since records were last accepted", func(p *Pipe) time.Time { return fromMicro(p.Stats.lastTaken.Load()) }),
	metric.Gauge("buffered_bytes", "bytes read and not yet handed over", func(p *Pipe) uint64 { return uint64(p.UnderWay()) }),
	metric.Counter("damaged", "events that came out without their payload, or not at all", func(p *Pipe) uint64 { return p.Stats.Damaged.Load() }),
	metric.Counter("restarts", "restarts of reading after an error", func(p *Pipe) uint64 { return p.Stats.Restarts.Load() }),
}

// Legend returns every metric of a pipe, without values.
func Legend() []metric.Metric { return metric.Legend(nil, metrics) }

// Metrics returns those of the pipe and of its source.
func (p *Pipe) Metrics(now time.Time) metric.Snapshot { return p.AppendMetrics(nil, now) }

// AppendMetrics is Metrics, with a list that is appended to list.
func (p *Pipe) AppendMetrics(list []metric.Metric, now time.Time) metric.Snapshot {
	s := metric.Snapshot{At: now, Instance: p.o.Instance, List: metric.Read(list, metrics, p, now), Errors: map[string]uint64{}}
	if n := p.Stats.Refused.Load(); n > 0 {
		s.Errors[KindRefused] = n
	}
	if p.o.Metrics != nil {
		p.o.Metrics(&s)
	}
	return s
}

// Newest is the creation date of the newest event that the host took; zero
// before the first.
func (s *Stats) Newest() time.Time { return fromMicro(s.newest.Load()) }

func fromMicro(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us)
}
