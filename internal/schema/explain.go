package schema

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// Explain writes what the table says of a type, and what an example of that type
// becomes in each format, with the origin of each field. o gives the version of
// OCSF; its format is not used.
func (t *Table) Explain(w io.Writer, typ string, o Options) error {
	var a Activity
	if r := exampleLine(typ); r != nil {
		t.Line(&a, r)
		return t.explain(w, &a, originsOfLine(r), o)
	}
	if typ == heartbeatType {
		t.Heartbeat(&a, exampleHeartbeat())
		return t.explain(w, &a, nil, o)
	}
	return t.ExplainRecord(w, t.Example(typ), o)
}

// ExplainRecord is Explain for an event that is given. Its secrets must be redacted.
func (t *Table) ExplainRecord(w io.Writer, r *record.Event, o Options) error {
	var a Activity
	t.Event(&a, r)
	return t.explain(w, &a, originsOf(r), o)
}

func (t *Table) explain(w io.Writer, a *Activity, origins map[string]string, o Options) error {
	var b strings.Builder
	b.WriteString(a.Row.describe(plain(a.Type), a.Known))
	for _, f := range []Format{ECS, OCSF, CEF, LEEF} {
		o.Format = f
		line := NewWriter(o).AppendLine(nil, a)
		fmt.Fprintf(&b, "\n%s\n", f)
		if f == CEF || f == LEEF {
			fmt.Fprintf(&b, "  %s\n", plain(string(line)))
			continue
		}
		fields, err := flatten(line)
		if err != nil {
			return fmt.Errorf("the example of %s in %s: %w", plain(a.Type), f, err)
		}
		for _, field := range fields {
			text := fmt.Sprintf("  %-34s %-42s %s", plain(field.name), plain(field.value), originOf(origins, field.value))
			b.WriteString(strings.TrimRight(text, " ") + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// plain makes s safe for a terminal: a record may be an attacker's. Tabs stay, because
// LEEF separates its attributes by them.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			return '?'
		}
		return r
	}, s)
}

// describe says in lines what a row means.
func (r *Row) describe(typ string, known bool) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "%s: %s\n", typ, r.Title)
	switch {
	case r.Overlay:
		line("known by", "your schema_file")
	case !known:
		line("known by", "the rule %s; its records have unknown_type: true", r.Rule)
	case r.Rule != "":
		line("known by", "the table, with the group of the rule %s", r.Rule)
	default:
		line("known by", "the table")
	}
	line("group", "%s", r.Group)
	line("tier", "%s: %s", r.Tier, [...]string{"always written", "written by default", "written only with tier: noise"}[r.Tier])
	if r.Group == "own_login" {
		line("severity", "%s, %s after a failure", r.Severity, Low)
		line("outcome", "what login.outcome says")
	} else {
		line("severity", "%s", r.Severity)
		line("outcome", "%s", r.Outcome)
	}
	line("ECS", "category %s, type %s", strings.Join(r.Category, ", "), strings.Join(r.Kinds, ", "))
	line("OCSF 1.8.0", "%s", r.OCSF)
	if r.OCSF19 != r.OCSF {
		line("OCSF 1.9.0", "%s", r.OCSF19)
	}
	if !r.own {
		line("actor", "the event's editor; parts of ZITADEL such as LOGIN are no users")
		line("user", "%s", r.userSays())
	}
	if r.Client != "" {
		line("client", "%s", choose(r.Client == "flat", "payload.remoteIP, payload.userAgent", "payload."+r.Client+".ip, payload."+r.Client+".description"))
	}
	if r.Roles != "" {
		line("roles", "%s", choose(r.Roles == "state", "only an earlier event says them", "payload."+r.Roles))
	}
	if r.Factor != 0 {
		line("factor", "%s", factorName(r))
	}
	if r.Legacy {
		line("legacy", "only old versions of ZITADEL write it")
	}
	if r.Note != "" {
		line("note", "%s", r.Note)
	}
	return b.String()
}

// String is "Account Change (3001), Lock (9)".
func (c Class) String() string {
	return fmt.Sprintf("%s (%d), %s (%d)", classNames[c.Class], c.Class, c.Name, c.Activity)
}

func (r *Row) userSays() string {
	switch kind, key, _ := strings.Cut(r.User, "."); kind {
	case "":
		return "none"
	case "aggregate":
		return "the aggregate's id"
	case "state":
		return "only an earlier event of the " + key + " says it"
	}
	return r.User
}

// Example makes an event of a type with the payload that its row speaks of.
func (t *Table) Example(typ string) *record.Event {
	row, _ := t.Row(typ)
	p := map[string]*structpb.Value{}
	if row.user != "" {
		p[row.user] = structpb.NewStringValue("300000000000000001")
	}
	if row.roles != "" {
		p[row.roles] = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{structpb.NewStringValue("ORG_OWNER")}})
	}
	const ip, agent = "203.0.113.7", "Mozilla/5.0 (X11; Linux x86_64)"
	switch row.Client {
	case "":
	case "flat":
		p["remoteIP"], p["userAgent"] = structpb.NewStringValue(ip), structpb.NewStringValue(agent)
	default:
		p[row.Client] = structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{"ip": structpb.NewStringValue(ip), "description": structpb.NewStringValue(agent)}})
	}
	aggregate, _, _ := strings.Cut(typ, ".")
	r := &record.Event{
		Key:  record.Key{Instance: "example", AggregateType: aggregate, AggregateID: "200000000000000001", Sequence: 7},
		Time: exampleAt, Read: exampleAt.Add(1500 * time.Millisecond), Type: typ, ResourceOwner: "100000000000000001",
		Editor: record.Editor{ID: "200000000000000002", Name: "Minnie Mouse"}, Source: record.SourceEventsAPI,
	}
	if len(p) > 0 {
		r.Payload = &structpb.Struct{Fields: p}
	}
	if ofCall(row, webhookAggregate) {
		r.AggregateType, r.Source = webhookAggregate, record.SourceWebhook
	}
	return r
}

// originsOf are the values of an event and where each of them is.
func originsOf(r *record.Event) map[string]string {
	m := map[string]string{
		r.Key.ID(): "instance, aggregate and sequence", r.Instance: "instance", r.AggregateType: "aggregate.type", r.AggregateID: "aggregate.id", r.ResourceOwner: "aggregate.resource_owner",
		r.Editor.ID: "editor.id", r.Editor.Name: "editor.name", fmt.Sprint(r.Sequence): "event.sequence", r.Type: "event.type", r.Source: "source",
		stamp(r.Time): "event.time", stamp(r.Read): "event.read_at", fmt.Sprint(r.Time.UnixMilli()): "event.time", fmt.Sprint(r.Read.UnixMilli()): "event.read_at",
	}
	var walk func(path string, v *structpb.Value)
	walk = func(path string, v *structpb.Value) {
		switch k := v.GetKind().(type) {
		case *structpb.Value_StringValue:
			m[k.StringValue] = path
		case *structpb.Value_ListValue:
			for _, e := range k.ListValue.GetValues() {
				walk(path, e)
			}
		case *structpb.Value_StructValue:
			for key, e := range k.StructValue.GetFields() {
				walk(path+"."+key, e)
			}
		}
	}
	walk("payload", structpb.NewStructValue(r.Payload))
	delete(m, "")
	return m
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// originOf says where a value came from: of the table, nothing.
func originOf(origins map[string]string, value string) string {
	if from, ok := origins[value]; ok {
		return "<- " + from
	}
	for _, part := range strings.Split(value, ", ") {
		key, v, found := strings.Cut(part, "=")
		if !found {
			v = key
		}
		if from, ok := origins[v]; ok {
			return "<- " + from
		}
	}
	return ""
}

type flatField struct{ name, value string }

// flatten returns the fields of a JSON line in its order of names; lists are joined.
func flatten(line []byte) (fields []flatField, err error) {
	d := json.NewDecoder(strings.NewReader(string(line)))
	d.UseNumber()
	var doc map[string]any
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(v)) {
				walk(strings.TrimPrefix(path+"."+k, "."), v[k])
			}
		case []any:
			texts := make([]string, len(v))
			for i, e := range v {
				if m, ok := e.(map[string]any); ok {
					j, _ := json.Marshal(m) // it was JSON
					texts[i] = string(j)
				} else {
					texts[i] = fmt.Sprint(e)
				}
			}
			fields = append(fields, flatField{path, strings.Join(texts, ", ")})
		default:
			fields = append(fields, flatField{path, fmt.Sprint(v)})
		}
	}
	walk("", doc)
	return fields, nil
}
