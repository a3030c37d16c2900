package source

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/detect"
	"github.com/zitadel-siem/zitadel-siem/internal/fault"
	"github.com/zitadel-siem/zitadel-siem/internal/pipe"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// alertsSuffix is appended to state_path for the file of what correlations have counted.
const alertsSuffix = ".alerts"

// Detection asks a source for alerts beside its records.
type Detection struct {
	Rules    *detect.Set
	MinLevel detect.Level
	// Encode writes alerts; nil: as Fluent Bit events.
	Encode record.Encoder
	// Seen gets each alert, which is valid only until it returns; may be nil.
	Seen func(*detect.Alert)
}

// detector evaluates rules on the records of a source, in the order in which they are encoded,
// whatever their format and tier. Alerts go into the chunk of the record that completed
// them, so that the reader's state moves only after the sink has accepted both. The file of
// alerts is ahead of it: what lies between, the engine gives again.
type detector struct {
	mu     sync.Mutex // heartbeats come from another goroutine
	engine *detect.Engine
	state  *detect.State // nil without state_path
	// uncounted says that another process, or an earlier one, read events whose counts are not
	// known yet; see recount. Until then nothing is stored, so that the next start reads them too.
	uncounted bool
	alerts    []record.Record
	ofBeat    []record.Record // alerts of heartbeats, which go with the heartbeat
	// settled is the committed watermark, Unix ns; it is set on the host's thread, which
	// must not wait for mu.
	settled atomic.Int64
	// sent are the ids of alerts of ofBeat that the sink has. The host's thread adds them.
	sent struct {
		mu  sync.Mutex
		ids []string
	}
	failed atomic.Uint64 // panics in rules; the first one was logged
	ticked time.Time     // when silences were last looked for
	beaten time.Time     // when the last heartbeat was evaluated
	log    *slog.Logger
}

const (
	// watchEvery is how often silences are looked for. Rules wait for minutes.
	watchEvery = 10 * time.Second
	// selfBeat is the interval of the heartbeats that only rules see, where the setting
	// heartbeat gives none or fewer: rules about silence would take a long interval for one.
	selfBeat = time.Minute
	// slept is the time between two looks after which this process, or its machine, must
	// have been suspended: what it did not hear meanwhile is no silence.
	slept = 2 * time.Minute
)

// settling is a prepared state that also says which alerts the sink has, once it counts.
type settling struct {
	pipe.Pending
	detector  *detector
	watermark time.Time
}

func (p settling) Commit() error {
	err := p.Pending.Commit()
	if err == nil && !p.watermark.IsZero() {
		p.detector.settled.Store(p.watermark.UnixNano())
	}
	return err
}

// besideTaken notes that the sink has an alert that belongs to no event.
func (t *detector) besideTaken(r record.Record) {
	t.sent.mu.Lock()
	defer t.sent.mu.Unlock()
	t.sent.ids = append(t.sent.ids, r.ID())
}

// settle tells the engine what was committed, and which alerts beside were taken. t.mu is held.
func (t *detector) settle() {
	if at := t.settled.Load(); at != 0 {
		t.engine.Settle(time.Unix(0, at))
	}
	t.sent.mu.Lock()
	ids := t.sent.ids
	t.sent.ids = nil
	t.sent.mu.Unlock()
	for _, id := range ids {
		t.engine.Sent(id)
	}
}

func newDetector(d *Detection, log *slog.Logger) *detector {
	t := &detector{log: log}
	t.engine = detect.New(d.Rules, detect.Options{MinLevel: d.MinLevel, Emit: func(a *detect.Alert) {
		t.alerts = append(t.alerts, a.Clone())
		if d.Seen != nil {
			d.Seen(a)
		}
	}})
	t.ticked = time.Now()
	t.engine.Start(t.ticked)
	return t
}

// open opens the file. It is called with the state, whose watermark it gets: both have one
// owner.
func (t *detector) open(path string, watermark time.Time) (err error) {
	if path == "" {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.engine.Settle(watermark)
	if t.state, err = detect.OpenState(path+alertsSuffix, t.engine); err == nil {
		t.uncounted = t.state.IsNew() && !watermark.IsZero()
		now := time.Now()
		t.engine.Start(now)
		t.evaluate(true, "none: alerts of the last run", func() { t.engine.Resend(now) })
	}
	return err
}

// share begins after the watermark of a state in a store, which has no counts.
func (t *detector) share(watermark time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.engine.Settle(watermark)
	t.uncounted = !watermark.IsZero()
}

// isUncounted reports whether rules still have to count the past; see recount.
func (s *Source) isUncounted() bool {
	if s.detector == nil {
		return false
	}
	s.detector.mu.Lock()
	defer s.detector.mu.Unlock()
	return s.detector.uncounted
}

func (t *detector) setCounted() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.uncounted = false
}

// count evaluates a record whose alerts the sink has.
func (t *detector) count(r record.Record, line []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.evaluate(false, r.ID(), func() { t.engine.Recount(line, time.Now()) })
}

// watch evaluates a record in ECS form.
func (t *detector) watch(r record.Record, line []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle()
	now := time.Now()
	evaluate := func() { t.engine.Record(line, now) }
	if _, ok := r.(*record.Event); ok && t.uncounted {
		return // one that was pushed; it comes again from the log, with its alerts
	}
	// A rule must not cost the record, which comes out without its alerts then.
	if _, beat := r.(*pipe.Heartbeat); beat {
		t.beaten = now
		t.evaluate(true, r.ID(), func() { t.engine.Beside(evaluate) })
		return
	}
	t.evaluate(false, r.ID(), evaluate)
}

// evaluate calls f, which gives alerts. Those that belong to no event wait apart. t.mu is held.
func (t *detector) evaluate(apart bool, id string, f func()) {
	before := len(t.alerts)
	if err := fault.Contain(func() error { f(); return nil }); err != nil && t.failed.Add(1) == 1 {
		t.log.Error("rules failed on a record, whose alerts are missing; the record comes out", "event.id", id, "error", err)
	}
	if apart {
		t.ofBeat = append(t.ofBeat, t.alerts[before:]...)
		t.alerts = t.alerts[:before]
	}
}

// beside returns the alerts that no record leads to: those of silences, and those of the
// heartbeats that only rules see. beat makes such a heartbeat be evaluated.
func (t *detector) beside(now time.Time, beat func()) []record.Record {
	if beat != nil && now.Sub(t.beatenAt()) >= selfBeat {
		beat()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	// Both as wall clock: the monotonic one stops while the machine sleeps.
	if now.Round(0).Sub(t.ticked.Round(0)) > slept {
		t.engine.Start(now)
	}
	t.ticked = now
	t.evaluate(true, "none: a silence", func() { t.engine.Beside(func() { t.engine.Tick(now) }) })
	return t.takeBeside()
}

// takeBeside returns the alerts that belong to no event. They are on disk then, because no
// event leads to them again; before the past is counted, a crash may lose them. t.mu is held.
func (t *detector) takeBeside() []record.Record {
	alerts := t.ofBeat
	t.ofBeat = nil
	if len(alerts) > 0 {
		_ = t.store() // the next step of the pipe reports it, and tries again
	}
	return alerts
}

func (t *detector) beatenAt() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.beaten
}

// encoder makes next give the alerts of a record as well.
func (t *detector) encoder(d *Detection, next record.Encoder) record.Encoder {
	encode := d.Encode
	if encode == nil {
		encode = record.AppendMsgpack
	}
	return func(b []byte, r record.Record) []byte {
		if a, ok := r.(*detect.Alert); ok {
			return encode(b, a)
		}
		return next(b, r)
	}
}

// derived returns the alerts of r. The pipe calls it after each record.
func (t *detector) derived(r record.Record) []record.Record {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, beat := r.(*pipe.Heartbeat); beat {
		return t.takeBeside()
	}
	alerts := t.alerts
	t.alerts = nil
	return alerts
}

// detectorStats is what a detector has counted.
type detectorStats struct {
	detect.Stats
	Failed uint64 // panics in rules
	Unsent uint64 // alerts that the pipe dropped
}

func (t *detector) stats() detectorStats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return detectorStats{Stats: t.engine.Stats, Failed: t.failed.Load()}
}

// RulesFailed is how many records were not evaluated by all rules, because one panicked.
func (s *Source) RulesFailed() uint64 {
	if s.detector == nil {
		return 0
	}
	return s.detector.failed.Load()
}

// RulesBlind is how many groups rules have forgotten for lack of room.
func (s *Source) RulesBlind() uint64 {
	if s.detector == nil {
		return 0
	}
	return s.detector.stats().Evicted
}

// sync makes durable what the records before a state led to. It is done before the state
// counts: a crash then repeats alerts, and forgets none.
func (t *detector) sync() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.store()
}

// store is sync with t.mu held.
func (t *detector) store() error {
	if t.state == nil || t.uncounted {
		return nil
	}
	t.settle()
	return t.state.Sync()
}

func (t *detector) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.state == nil:
		return nil
	case t.uncounted:
		return t.state.Abandon()
	}
	t.settle()
	return t.state.Close()
}

// alertTags gives alerts a tag of their own, so that Fluent Bit can route them.
func alertTags(base string, next func(record.Record) string) func(record.Record) string {
	return func(r record.Record) string {
		if _, ok := r.(*detect.Alert); ok {
			return base + ".alert"
		}
		if next == nil {
			return ""
		}
		return next(r)
	}
}

// watched adds detection to the options of a pipe.
func (s *Source) watched(o pipe.Options) pipe.Options {
	if s.detector == nil {
		return o
	}
	o.Encode = s.detector.encoder(s.opts.Detect, o.Encode)
	o.Derived = s.detector.derived
	o.Tag = alertTags(s.opts.Tag, o.Tag)
	var beat func()
	if s.Settings.Heartbeat == 0 || s.Settings.Heartbeat > selfBeat {
		encode := s.opts.Format.Msgpack() // for the rules, which see what is encoded
		beat = func() { encode(nil, &pipe.Heartbeat{Snapshot: s.Metrics()}) }
	}
	o.Beside = func(now time.Time) []record.Record { return s.detector.beside(now, beat) }
	o.BesideEvery = watchEvery
	o.BesideTaken = s.detector.besideTaken
	return o
}
