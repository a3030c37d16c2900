package schema

import (
	"slices"
	"strconv"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/document"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// Details are what a payload says beyond the fields that every schema has. They
// are a list of texts, "key=value", and not a map: the payloads of 560 types
// would give a SIEM hundreds of fields, some of them with two types. Nested keys
// are joined by a dot, an element of a list is a detail of its own, and the
// numbers of enumerations are words.
const (
	maxDetails = 64
	// maxDetail keeps keys, certificates and documents out.
	maxDetail = 256
	cutMark   = "[CUT]"
)

// details writes a list of details.
type details struct {
	d     *document.Doc
	typ   string
	path  []byte
	n     int
	depth int
	keys  []string
}

// write writes the details of a as an optional list.
func (w *details) write(d *document.Doc, key string, a *Activity) {
	if a.event == nil || len(a.details) == 0 {
		return
	}
	w.d, w.typ, w.n, w.depth, w.keys = d, a.Type, 0, 0, w.keys[:0]
	d.OptionalList(key)
	fields := a.event.Payload.GetFields()
	for _, k := range a.details {
		w.path = append(w.path[:0], k...)
		w.value(fields[k])
	}
	if w.n > maxDetails {
		w.path = append(w.path[:0], "further details: "...)
		w.path = strconv.AppendInt(w.path, int64(w.n-maxDetails), 10)
		d.TextBytes("", w.path)
	}
	d.End()
	w.d = nil
}

func (w *details) value(v *structpb.Value) {
	if w.depth == record.MaxDepth {
		w.text(record.TooDeep)
		return
	}
	w.depth++
	defer func() { w.depth-- }()
	switch v := v.GetKind().(type) {
	case *structpb.Value_StringValue:
		if v.StringValue != "" && v.StringValue != redact.Redacted {
			w.text(v.StringValue)
		}
	case *structpb.Value_NumberValue:
		if word, ok := enumWord(w.typ, text(w.path), v.NumberValue); ok {
			w.text(word)
			return
		}
		var room [32]byte
		w.text(text(strconv.AppendFloat(room[:0], v.NumberValue, 'f', -1, 64)))
	case *structpb.Value_BoolValue:
		w.text(strconv.FormatBool(v.BoolValue))
	case *structpb.Value_ListValue:
		// An empty list is what was set: an execution whose targets were taken away.
		if len(v.ListValue.GetValues()) == 0 {
			w.text("[]")
		}
		for _, e := range v.ListValue.GetValues() {
			w.value(e)
		}
	case *structpb.Value_StructValue:
		w.object(v.StructValue.GetFields())
	}
}

func (w *details) object(fields map[string]*structpb.Value) {
	from := len(w.keys)
	for k := range fields {
		w.keys = append(w.keys, k)
	}
	slices.Sort(w.keys[from:])
	end := len(w.path)
	for i := range len(fields) {
		k := w.keys[from+i]
		w.path = append(append(w.path[:end], '.'), k...)
		w.value(fields[k])
	}
	w.path = w.path[:end]
	clear(w.keys[from:])
	w.keys = w.keys[:from]
}

// text writes a detail.
func (w *details) text(v string) {
	if w.n++; w.n > maxDetails {
		return
	}
	end := len(w.path)
	short := cut(v, maxDetail)
	w.path = append(append(w.path, '='), short...)
	if len(short) < len(v) {
		w.path = append(w.path, cutMark...)
	}
	w.d.TextBytes("", w.path)
	w.path = w.path[:end]
}

// loginFields are the fields of a login that a line could not prove.
var loginFields = [...]struct {
	name string
	of   func(*parser.Login) string
}{
	{"outcome=", func(l *parser.Login) string { return l.Outcome }},
	{"error=", func(l *parser.Login) string { return l.Error }},
	{"method=", func(l *parser.Login) string { return l.Method }},
	{"auth_request_id=", func(l *parser.Login) string { return l.AuthRequestID }},
	{"agent_id=", func(l *parser.Login) string { return l.AgentID }},
	{"user_id=", func(l *parser.Login) string { return l.UserID }},
	{"user_name=", func(l *parser.Login) string { return l.UserName }},
	{"login_name=", func(l *parser.Login) string { return l.LoginName }},
	{"resource_owner=", func(l *parser.Login) string { return l.ResourceOwner }},
	{"application_id=", func(l *parser.Login) string { return l.ApplicationID }},
	{"idp_id=", func(l *parser.Login) string { return l.IDPID }},
	{"remote_addr=", func(l *parser.Login) string { return l.RemoteAddr }},
	{"forwarded_for=", func(l *parser.Login) string { return l.ForwardedFor }},
	{"user_agent=", func(l *parser.Login) string { return l.UserAgent }},
	{"auth_time=", func(l *parser.Login) string { return l.AuthTime }},
	{"change_date=", func(l *parser.Login) string { return l.ChangeDate }},
	{"request_method=", func(l *parser.Login) string { return l.RequestMethod }},
	{"request_url=", func(l *parser.Login) string { return l.RequestURL }},
	{"request_host=", func(l *parser.Login) string { return l.RequestHost }},
	{"cut_fields=", func(l *parser.Login) string { return l.CutFields }},
}

// unverified writes what a line says in places that an attacker may have written.
func (w *details) unverified(d *document.Doc, key string, a *Activity) {
	if a.line == nil || a.Unverified == (parser.Login{}) {
		return // of an event it is always empty, and comparing is not free
	}
	d.OptionalList(key)
	for _, f := range loginFields {
		if v := f.of(&a.Unverified); v != "" {
			short := cut(v, maxDetail)
			w.path = append(append(w.path[:0], f.name...), short...)
			if len(short) < len(v) {
				w.path = append(w.path, cutMark...)
			}
			d.TextBytes("", w.path)
		}
	}
	d.End()
}
