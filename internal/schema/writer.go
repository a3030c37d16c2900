package schema

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/document"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// Vendor and Product stand in every format. They never change: QRadar detects a
// source by them.
const (
	Vendor  = "ZITADEL"
	Product = "ZITADEL"
)

// Format is a format of records other than "raw".
type Format uint8

// The formats.
const (
	ECS Format = iota + 1
	OCSF
	CEF
	LEEF
)

var formatNames = []string{1: "ecs", 2: "ocsf", 3: "cef", 4: "leef"}

func (f Format) String() string { return formatNames[f] }

// ParseFormat returns the format of that name.
func ParseFormat(name string) (Format, error) {
	if i := slices.Index(formatNames, name); i > 0 {
		return Format(i), nil
	}
	return 0, fmt.Errorf("%q is no format: use raw, %s", name, strings.Join(formatNames[1:], ", "))
}

// ParseTier returns the tier of that name.
func ParseTier(name string) (Tier, error) {
	if i := slices.Index(tierNames, name); i >= 0 {
		return Tier(i), nil
	}
	return 0, fmt.Errorf("%q is no tier: use %s", name, strings.Join(tierNames, ", "))
}

// Options are how records are written.
type Options struct {
	Format Format
	// OCSF19 takes the classes of OCSF 1.9.0, where 1.8.0 is the default.
	OCSF19 bool
	// KeepOriginal adds the redacted original as JSON to ECS and OCSF.
	KeepOriginal bool
	// Version of this program.
	Version string
}

// Writer writes activities. One goroutine at a time may use it.
type Writer struct {
	opts                  Options
	doc                   document.Doc
	details               details
	inner                 document.Doc // details and metrics in CEF and LEEF
	line, json, list, key []byte
	scratch               []byte
	static                map[staticKey]*document.Fragment
}

// NewWriter returns a writer.
func NewWriter(o Options) *Writer {
	return &Writer{opts: o, static: map[staticKey]*document.Fragment{}}
}

// staticKey is what the entries depend on that are the same in most records of a type.
type staticKey struct {
	row      *Row
	part     part
	class    uint16
	activity uint8
	outcome  Outcome
	severity Severity
	format   document.Format
}

// part is a part of a record.
type part uint8

const (
	topPart part = iota
	eventPart
	headPart
	metadataPart
)

// paste writes the entries of a part, from the second time on as bytes. What it writes
// must depend on the key alone. A type that the table does not know is written
// anew each time, because there is no end of such types.
func (w *Writer) paste(d *document.Doc, a *Activity, p part, c Class, write func(*document.Doc)) {
	if !a.Known {
		write(d)
		return
	}
	key := staticKey{a.Row, p, c.Class, c.Activity, a.Outcome, a.Severity, d.Format()}
	f := w.static[key]
	if f == nil {
		f = document.NewFragment(d.Format(), write)
		w.static[key] = f
	}
	d.Paste(f)
}

// AppendMsgpack appends a to b as one Fluent Bit event, [EventTime, map]. CEF
// and LEEF are a text under "message", beside what Fluent Bit's syslog output
// asks for: host, app, msgid and severity. The map gets more further entries, whose
// keys and values are encoded in pairs.
func (w *Writer) AppendMsgpack(b []byte, a *Activity, more int, pairs []byte) []byte {
	d := &w.doc
	d.Reset(b, document.Msgpack)
	d.Event(a.at())
	d.Map("")
	w.record(d, a)
	d.Pairs(more, pairs)
	d.End()
	return d.Bytes()
}

// AppendLine appends a to b as one line without the newline: JSON in ECS and
// OCSF, the text itself in CEF and LEEF.
func (w *Writer) AppendLine(b []byte, a *Activity) []byte {
	switch w.opts.Format {
	case CEF:
		return w.cef(b, a)
	case LEEF:
		return w.leef(b, a)
	}
	d := &w.doc
	d.Reset(b, document.JSON)
	d.Map("")
	w.record(d, a)
	d.End()
	return d.Bytes()
}

func (w *Writer) record(d *document.Doc, a *Activity) {
	switch w.opts.Format {
	case ECS:
		w.ecs(d, a)
	case OCSF:
		w.ocsf(d, a)
	case CEF:
		w.line = w.cef(w.line[:0], a)
		w.syslog(d, a)
	case LEEF:
		w.line = w.leef(w.line[:0], a)
		w.syslog(d, a)
	}
}

// syslog writes w.line with what a syslog output asks for.
func (w *Writer) syslog(d *document.Doc, a *Activity) {
	d.TextBytes("message", w.line)
	w.scratch = appendName(w.scratch[:0], hostOf(a.Instance), maxHost)
	d.TextBytes("host", w.scratch)
	d.Text("app", "zitadel")
	w.scratch = appendName(w.scratch[:0], a.Type, maxMsgID)
	d.TextBytes("msgid", w.scratch)
	d.Uint("severity", uint64(syslogSeverity[a.Severity]))
}

// The lengths of RFC 5424.
const (
	maxHost  = 255
	maxMsgID = 32
)

// syslogSeverity is RFC 5424's severity.
var syslogSeverity = [...]uint8{Informational: 6, Low: 5, Medium: 4, High: 3, Critical: 2}

// hostOf is the label of an instance without the port that a URL gave it: receivers
// such as syslog-ng do not take host:port for a host.
func hostOf(instance string) string {
	host, _ := splitHost(instance)
	return host
}

// splitHost takes the scheme and the port off a host: ECS and OCSF have a field of its
// own for the port, and ZITADEL's activity log names a URL. What has none of both
// is a host as it is, because a client may send anything. Port 0: there is none.
func splitHost(s string) (host string, port uint16) {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "https://"), "http://")
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return s, 0
	}
	n, err := strconv.ParseUint(s[i+1:], 10, 16)
	if err != nil || n == 0 {
		return s, 0
	}
	host = s[:i]
	if inner, ok := strings.CutPrefix(host, "["); ok && strings.HasSuffix(inner, "]") {
		return inner[:len(inner)-1], uint16(n)
	}
	if strings.IndexByte(host, ':') >= 0 {
		return s, 0 // an address of IPv6
	}
	return host, uint16(n)
}

// appendName appends s as a name of RFC 5424: printable ASCII without spaces.
func appendName(b []byte, s string, limit int) []byte {
	if s == "" {
		return append(b, '-')
	}
	for i := range min(len(s), limit) {
		c := s[i]
		if c <= ' ' || c > '~' {
			c = '_'
		}
		b = append(b, c)
	}
	return b
}

// at is the time of the record.
func (a *Activity) at() time.Time {
	if a.Time.IsZero() {
		return a.Read
	}
	return a.Time
}

func (a *Activity) dataset() string {
	switch {
	case a.line != nil:
		return "zitadel.log"
	case a.Row.own && a.event != nil:
		return "zitadel.api"
	case a.Row.own:
		return "zitadel.heartbeat"
	}
	return "zitadel.event"
}

// original is the redacted original as JSON, or nil.
func (w *Writer) original(a *Activity) []byte {
	if !w.opts.KeepOriginal {
		return nil
	}
	switch {
	case a.event != nil:
		w.line = record.AppendJSON(w.line[:0], a.event)
	case a.line != nil:
		w.line = parser.AppendJSON(w.line[:0], a.line)
	default:
		return nil
	}
	return w.line
}

// ip writes the address.
func (w *Writer) ip(d *document.Doc, key string, a *Activity) {
	w.scratch = a.IP.AppendTo(w.scratch[:0])
	d.TextBytes(key, w.scratch)
}

// own writes what neither ECS nor OCSF has fields for, under the same names in both.
func (w *Writer) own(d *document.Doc, a *Activity) {
	if !a.Known {
		d.Bool("unknown_type", true)
	}
	if a.AggregateType != "" {
		d.Map("aggregate")
		d.Text("type", a.AggregateType)
		d.Text("id", a.AggregateID)
		d.End()
	}
	object(d, "session", Object{ID: a.Session})
	object(d, "auth_request", Object{ID: a.AuthRequest})
	object(d, "agent", Object{ID: a.Agent})
	if a.Application != (Object{}) || a.Client != "" {
		d.Map("application")
		d.Some("id", a.Application.ID)
		d.Some("name", a.Application.Name)
		d.Some("client_id", a.Client)
		d.End()
	}
	object(d, "project", a.Project)
	object(d, "grant", Object{ID: a.Grant})
	object(d, "identity_provider", a.IDP)
	d.Some("ip_source", string(a.IPSource))
	d.Some("forwarded_for", a.ForwardedFor)
	d.Some("trust", a.Trust)
	if a.Cut {
		d.Bool("cut", true)
	}
	w.details.unverified(d, "unverified", a)
	texts(d, "users", a.Users)
	w.call(d, a)
	if len(a.Metrics) > 0 {
		metrics(d, "heartbeat", a)
	}
	w.details.write(d, "details", a)
}

func (w *Writer) call(d *document.Doc, a *Activity) {
	if a.Call == (Call{}) {
		return
	}
	d.Optional("call")
	if a.Call.Operation != a.Call.Path {
		d.Some("operation", a.Call.Operation)
		if a.event != nil { // a line without a path keeps its host where others have it
			d.Some("host", a.Call.Host)
		}
	}
	d.Some("target", a.Call.Target)
	d.Some("change_date", a.Call.ChangeDate)
	d.Some("service", a.Call.Service)
	d.Some("protocol", a.Call.Protocol)
	d.Some("code", a.Call.Code)
	d.Some("trigger", a.Call.Trigger)
	d.Some("asked_organization", a.Call.AskedOrg)
	d.Some("join", a.Call.Join)
	if a.Call.isRPC() {
		d.Number("grpc_status", float64(a.Call.Status))
	}
	d.End()
}

func object(d *document.Doc, key string, o Object) {
	if o.ID == "" && o.Name == "" {
		return
	}
	d.Map(key)
	d.Some("id", o.ID)
	d.Some("name", o.Name)
	d.End()
}

func metrics(d *document.Doc, key string, a *Activity) {
	d.Map(key)
	for _, m := range a.Metrics {
		if !math.IsNaN(m.Value) { // not known yet; a text would change the field's type
			d.Number(m.Name, m.Value)
		}
	}
	d.Optional("errors")
	for _, c := range a.Errors {
		d.Key(c.Name)
		d.Uint("", c.N)
	}
	d.End()
	d.End()
}
