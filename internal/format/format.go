// Package format makes the encoders of records that the settings ask for: raw, ECS,
// OCSF, CEF or LEEF, as Fluent Bit events or as lines. It is the one place where a
// format is chosen.
//
// Encoders expect redacted records. Where the settings ask for pseudonyms, they change the
// payloads of events, which are encoded once.
package format

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/zitadel-siem/zitadel-siem/internal/calls"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/document"
	"github.com/zitadel-siem/zitadel-siem/internal/enrich"
	"github.com/zitadel-siem/zitadel-siem/internal/pipe"
	"github.com/zitadel-siem/zitadel-siem/internal/pseudonym"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/schema"
	"github.com/zitadel-siem/zitadel-siem/internal/version"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// maxOverlay bounds schema_file. A row has about 100 bytes.
const maxOverlay = 1 << 20

// Format is how the settings want records. It is safe for concurrent use; its
// encoders count together.
type Format struct {
	table   *schema.Table
	options schema.Options
	raw     bool
	tier    schema.Tier
	tokens  *pseudonym.Tokens // nil: personal values stay

	names atomic.Pointer[Names]       // nil: records say what they say
	calls atomic.Pointer[calls.Store] // nil: so do addresses
	watch Watch                       // nil: nobody watches

	// LeftOut counts records that the setting tier leaves out, Unknown those of an event
	// type that the table does not know.
	LeftOut, Unknown atomic.Uint64
}

// Raw returns the format that leaves records as they are, and none out.
func Raw() *Format { return &Format{raw: true, tier: schema.Noise} }

// Open reads the files that the settings name.
func Open(s config.FormatSettings) (*Format, error) {
	f := &Format{raw: s.Raw()}
	var err error
	if f.table, err = Table(s.SchemaFile); err != nil {
		return nil, fmt.Errorf("schema_file: %w", err)
	}
	if f.tier, err = schema.ParseTier(s.Tier); err != nil {
		return nil, fmt.Errorf("tier: %w", err)
	}
	if s.Pseudonyms {
		if f.tokens, err = pseudonym.Load(s.PseudonymsKeyFile); err != nil {
			return nil, err
		}
	}
	if f.raw {
		return f, nil
	}
	f.options = schema.Options{OCSF19: s.OCSFVersion == config.OCSF19, KeepOriginal: s.KeepOriginal, Version: version.Version}
	if f.options.Format, err = schema.ParseFormat(s.Format); err != nil {
		return nil, fmt.Errorf("format: %w", err)
	}
	return f, nil
}

// Pseudonymize makes encoders replace personal values by tokens of t. It is called before the
// first record.
func (f *Format) Pseudonymize(t *pseudonym.Tokens) { f.tokens = t }

// Reserved reports whether name is a top-level key of the records: what stands beside
// a line, such as the labels of a pod, must not have it.
func (f *Format) Reserved(name string) bool {
	if f.raw {
		return parser.Reserved(name)
	}
	return f.options.Format.Reserved(name)
}

// Remember makes encoders learn from events, and complete records by what was learned.
func (f *Format) Remember(n *Names) { f.names.Store(n) }

// Watch is given a record and its line in ECS form, which is valid until it returns.
type Watch func(r record.Record, line []byte)

// Watch makes encoders give each record to watch, before they write it in the format, and
// also if the tier leaves it out. It is called before anything is encoded.
func (f *Format) Watch(watch Watch) { f.watch = watch }

// Showing returns a function that gives a record to watch as encoders do, and neither writes nor
// counts it. The function is for one goroutine.
func (f *Format) Showing(watch Watch) func(record.Record) {
	e := f.NewEncoder()
	return func(r record.Record) { e.show(r, watch) }
}

// Names is what was remembered; nil without [Format.Remember].
func (f *Format) Names() *Names { return f.names.Load() }

// Msgpack returns an encoder of Fluent Bit events, [EventTime, map].
func (f *Format) Msgpack() record.Encoder {
	e := f.NewEncoder()
	return func(b []byte, r record.Record) []byte { return e.AppendMsgpack(b, r, 0, nil) }
}

// Lines returns an encoder of lines: JSON, or the text of CEF and LEEF.
func (f *Format) Lines() record.Encoder { return f.NewEncoder().AppendLine }

// Encoder writes records of one format. It is safe for concurrent use. Where many
// goroutines encode, each should have its own.
type Encoder struct {
	*Format
	mu       sync.Mutex // heartbeats come from another goroutine
	activity schema.Activity
	writer   *schema.Writer
	event    record.Event  // with pseudonyms
	line     parser.Record // with pseudonyms
	lesson   *record.Event // is still to be learned
	finish   func(*enrich.Store)
	watcher  *schema.Writer // for who watches
	watched  []byte
}

// NewEncoder returns an encoder.
func (f *Format) NewEncoder() *Encoder {
	e := &Encoder{Format: f, writer: schema.NewWriter(f.options)}
	e.finish = e.learnAndComplete // one closure for all records
	return e
}

// AppendMsgpack appends r to b as one Fluent Bit event, whose map gets more further
// entries that are encoded in pairs. If the tier leaves r out, it returns b.
func (e *Encoder) AppendMsgpack(b []byte, r record.Record, more int, pairs []byte) []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	r, wanted := e.fill(r)
	switch {
	case !wanted:
		return b
	case e.raw:
		return document.AppendEvent(b, r, more, pairs)
	default:
		return e.writer.AppendMsgpack(b, &e.activity, more, pairs)
	}
}

// AppendLine appends r to b as one line with its newline. If the tier leaves r out, it
// returns b.
func (e *Encoder) AppendLine(b []byte, r record.Record) []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	r, wanted := e.fill(r)
	switch {
	case !wanted:
		return b
	case e.raw:
		return record.AppendLine(b, r)
	default:
		return append(e.writer.AppendLine(b, &e.activity), '\n')
	}
}

// fill fills the activity, if it is needed. It returns r, or its copy with pseudonyms, and
// reports whether it is wanted. What a tier leaves out teaches as well.
func (e *Encoder) fill(r record.Record) (_ record.Record, wanted bool) {
	if e.raw && e.tier == schema.Noise && e.tokens == nil && e.watch == nil {
		e.learnFirst(r)
		return r, true
	}
	r, wanted = e.show(r, e.watch)
	if !e.activity.Known {
		e.Unknown.Add(1)
	}
	if !wanted {
		e.LeftOut.Add(1)
	}
	return r, wanted
}

// show is fill without its counters. It gives r to watch, which may be nil.
func (e *Encoder) show(r record.Record, watch Watch) (_ record.Record, wanted bool) {
	event, isEvent := r.(*record.Event)
	e.learnFirst(r)
	r = e.activityOf(r)
	if names := e.Names(); names != nil && !e.raw {
		names.contained(e.finish)
	}
	wanted = e.activity.Wanted(e.tier)
	if calls := e.Calls(); calls != nil && isEvent && !e.raw && (wanted || watch != nil) {
		e.completeAddress(calls, event)
	}
	if watch != nil {
		if e.watcher == nil {
			e.watcher = schema.NewWriter(schema.Options{Format: schema.ECS})
		}
		e.watched = e.watcher.AppendLine(e.watched[:0], &e.activity)
		watch(r, e.watched)
	}
	return r, wanted
}

// learnFirst learns from an event where nothing completes it. With pseudonyms, that is before its
// values become tokens.
func (e *Encoder) learnFirst(r record.Record) {
	e.lesson, _ = r.(*record.Event)
	if names := e.Names(); names != nil && e.lesson != nil && (e.raw || e.tokens != nil) {
		names.Learn(e.lesson)
		e.lesson = nil
	}
}

// learnAndComplete needs the lock of the names once for both.
func (e *Encoder) learnAndComplete(s *enrich.Store) {
	switch {
	case e.lesson == nil:
	case e.activity.Known && !e.activity.Row.Teaches:
		s.Pass(e.lesson)
	default:
		s.Learn(e.lesson)
	}
	if e.activity.Wanted(e.tier) {
		e.complete(s)
	}
}

// activityOf fills the activity. With pseudonyms it returns a copy of r that has them.
func (e *Encoder) activityOf(r record.Record) record.Record {
	switch r := r.(type) {
	case *record.Event:
		if e.tokens == nil {
			e.table.Event(&e.activity, r)
			return r
		}
		ip, from := e.table.EventAddress(r)
		e.event = *r // its payload is changed in place, its editor is not
		e.tokens.Event(&e.event)
		e.table.Event(&e.activity, &e.event)
		e.setAddress(ip, from)
		return &e.event
	case *parser.Record:
		if e.tokens == nil {
			e.table.Line(&e.activity, r)
			return r
		}
		ip, from := schema.LineAddress(r)
		e.line = *r
		e.tokens.Line(&e.line)
		e.table.Line(&e.activity, &e.line)
		e.setAddress(ip, from)
		return &e.line
	case *pipe.Heartbeat:
		h := heartbeat(r)
		e.table.Heartbeat(&e.activity, &h)
		return r
	default:
		panic(fmt.Sprintf("no format for a %T", r))
	}
}

// setAddress puts a token in the place of the address that was found in the clear.
func (e *Encoder) setAddress(ip netip.Addr, from schema.IPSource) {
	e.activity.IP = netip.Addr{}
	if ip.IsValid() {
		e.activity.Address, e.activity.IPSource = e.tokens.Token(pseudonym.IP, ip.String()), from
	}
}

func heartbeat(h *pipe.Heartbeat) schema.Heartbeat {
	out := schema.Heartbeat{Type: h.EventType(), Source: pipe.HeartbeatSource, Instance: h.Instance, At: h.At, Errors: h.Errors}
	for _, m := range h.List {
		out.Metrics = append(out.Metrics, schema.Metric{Name: m.Name, Value: m.Value})
	}
	return out
}
