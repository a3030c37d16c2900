package schema_test

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tinylib/msgp/msgp"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/schema"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

func load(tb testing.TB) *schema.Table {
	tb.Helper()
	t, err := schema.Load(nil, "")
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// everything fills an activity from each recorded event, line and webhook, from
// a synthetic event of each type, and from a heartbeat.
func everything(tb testing.TB, f func(name string, a *schema.Activity)) {
	tb.Helper()
	table := load(tb)
	var a schema.Activity
	event := func(r *record.Event) {
		table.Event(&a, r)
		f(r.Type, &a)
	}
	line := func(r *parser.Record) {
		table.Line(&a, r)
		f(r.EventType(), &a)
	}
	pushed := recordedWebhooks(tb)
	for _, r := range slices.Concat(recordedEvents(tb), pushed.Events, pushed.Calls) {
		event(r)
	}
	for _, r := range slices.Concat(recordedLines(tb), pushed.Logins) {
		line(r)
	}
	keys := payloadKeys(tb)
	for _, row := range table.Rows() {
		r := synthetic(row.Type, keys[row.Type])
		event(&r)
		r.Payload = nil // a field that is missing breaks nothing
		r.Editor = record.Editor{}
		event(&r)
	}
	for _, typ := range []string{"user.human.new.thing.added", "brand.new", "", "heartbeat", "api.request"} {
		r := synthetic(typ, nil)
		event(&r)
	}
	table.Heartbeat(&a, heartbeat())
	f("heartbeat", &a)
}

func heartbeat() *schema.Heartbeat {
	return &schema.Heartbeat{Type: "heartbeat", Source: "zitadel_siem", Instance: "demo", At: readAt,
		Metrics: []schema.Metric{{Name: "events", Value: 17}, {Name: "lag_seconds", Value: 0.25}}, Errors: map[string]uint64{"refused": 2, "Unavailable": 1}}
}

func TestOCSF_EverythingIsValid(t *testing.T) {
	for _, c := range []struct {
		name   string
		opts   schema.Options
		schema *ocsfSchema
	}{
		{"1.8.0", schema.Options{Format: schema.OCSF, KeepOriginal: true}, loadOCSF(t, "ocsf-1.8.0.json.gz")},
		{"1.9.0", schema.Options{Format: schema.OCSF, OCSF19: true}, loadOCSF(t, "ocsf-1.8.0.json.gz", "ocsf-1.9.0-dev.json.gz")},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := schema.NewWriter(c.opts)
			n := 0
			everything(t, func(name string, a *schema.Activity) {
				if n++; c.opts.OCSF19 && n%4 != 0 && n < 7000 {
					return // most is as in 1.8.0; every type is made up at the end
				}
				line := w.AppendLine(nil, a)
				if wrong := c.schema.check(decodeLine(t, line)); len(wrong) > 0 {
					t.Errorf("%s: %s\n%s", name, strings.Join(wrong, "; "), line)
				}
			})
			t.Logf("%d records", n)
		})
	}
}

func TestECS_EverythingIsValid(t *testing.T) {
	fields := loadECS(t)
	w := schema.NewWriter(schema.Options{Format: schema.ECS, KeepOriginal: true})
	everything(t, func(name string, a *schema.Activity) {
		line := w.AppendLine(nil, a)
		if wrong := fields.check(decodeLine(t, line)); len(wrong) > 0 {
			t.Errorf("%s: %s\n%s", name, strings.Join(wrong, "; "), line)
		}
	})
}

// Law 8: no type of ZITADEL's falls through the table.
func TestLaw8_EveryTypeHasARow(t *testing.T) {
	table := load(t)
	n := 0
	for line := range strings.Lines(string(readFile(t, "../zitadeltest/data/event_types.tsv"))) {
		typ, _, _ := strings.Cut(line, "\t")
		if row, known := table.Row(typ); !known || row.Type != typ || row.Title == "" || row.Severity == 0 {
			t.Errorf("%s has no row", typ)
		}
		n++
	}
	if n != 560 {
		t.Errorf("%d types", n)
	}
	for _, r := range recordedEvents(t) {
		if _, known := table.Row(r.Type); !known {
			t.Errorf("recorded %s has no row", r.Type)
		}
	}
	if n := len(table.Rows()); n != 600 {
		t.Errorf("%d rows, want 560 types, 24 historical ones and 16 of our own", n)
	}
}

// Law 8: a type that nobody knows goes by the rules, and says so.
func TestLaw8_UnknownTypesGoByTheRulesAndAreMarked(t *testing.T) {
	table := load(t)
	for typ, group := range map[string]string{
		"user.human.retina.check.failed": "factor_fail", "instance.idp.new.added": "sec_add", "x.y.removed": "cfg_remove", "wholly new": "ops_info", "": "ops_info",
		"heartbeat": "ops_info", "org.member.merged.removed": "priv_remove",
	} {
		r := synthetic(typ, nil)
		var a schema.Activity
		table.Event(&a, &r)
		if a.Known || a.Row.Group != group {
			t.Errorf("%q: known %v, group %s, want %s", typ, a.Known, a.Row.Group, group)
		}
		for _, f := range formats {
			if line := string(schema.NewWriter(schema.Options{Format: f}).AppendLine(nil, &a)); !strings.Contains(line, "unknown_type\":true") && !strings.Contains(strings.ToLower(line), "unknowntype=true") {
				t.Errorf("%q is not marked in %s: %s", typ, f, line)
			}
		}
	}
}

var formats = []schema.Format{schema.ECS, schema.OCSF, schema.CEF, schema.LEEF}

// Msgpack and JSON are one document.
func TestWriters_MsgpackIsTheLine(t *testing.T) {
	for _, f := range formats {
		w := schema.NewWriter(schema.Options{Format: f})
		n := 0
		everything(t, func(name string, a *schema.Activity) {
			if n++; n%7 != 0 {
				return // the writers are the same for all
			}
			packed := w.AppendMsgpack(nil, a, 1, msgp.AppendString(msgp.AppendString(nil, "pod"), "p"))
			line := w.AppendLine(nil, a)
			v, rest, err := msgp.ReadIntfBytes(packed[11:]) // behind [EventTime,
			m, ok := v.(map[string]any)
			if err != nil || !ok || len(rest) != 0 || m["pod"] != "p" {
				t.Fatalf("%s: %v, %d bytes behind it", name, err, len(rest))
			}
			delete(m, "pod")
			if f == schema.CEF || f == schema.LEEF {
				if m["message"] != string(line) || len(m) != 5 || m["app"] != "zitadel" || m["host"] == "" {
					t.Fatalf("%s: %v", name, m)
				}
				return
			}
			b, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			var want any
			got := any(nil)
			if json.Unmarshal(line, &want) != nil || json.Unmarshal(b, &got) != nil || !equal(want, got) {
				t.Fatalf("%s:\n%s\n%s", name, line, b)
			}
		})
	}
}

func equal(a, b any) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && slices.Equal(x, y)
}

// Law 7: a pushed event may have any type, but is no login of a line and no heartbeat.
func TestLaw7_AnEventIsNoRecordOfOurOwn(t *testing.T) {
	table := load(t)
	var a schema.Activity
	for _, typ := range []string{"action.login", "heartbeat", "access", "log.other"} {
		for _, aggregate := range []string{"user", "webhook"} {
			r := synthetic(typ, nil)
			r.AggregateType, r.Source = aggregate, record.SourceWebhook
			table.Event(&a, &r)
			if a.Known || a.Step != schema.StepNone {
				t.Errorf("%s of %s is taken for one of our own", typ, aggregate)
			}
		}
	}
}

func TestTiers_SayWhatIsWanted(t *testing.T) {
	table := load(t)
	var a schema.Activity
	for typ, want := range map[string][3]bool{"user.locked": {true, true, true}, "session.added": {false, true, true}, "session.token.set": {false, false, true}} {
		r := synthetic(typ, nil)
		table.Event(&a, &r)
		for i, tier := range []schema.Tier{schema.Core, schema.Useful, schema.Noise} {
			if a.Wanted(tier) != want[i] {
				t.Errorf("%s in %s: %v", typ, tier, !want[i])
			}
		}
	}
	for _, name := range []string{"core", "useful", "noise"} {
		if tier, err := schema.ParseTier(name); err != nil || tier.String() != name {
			t.Error(tier, err)
		}
	}
	if _, err := schema.ParseTier("all"); err == nil || !strings.Contains(err.Error(), "core, useful, noise") {
		t.Error(err)
	}
	for _, f := range formats {
		if got, err := schema.ParseFormat(f.String()); err != nil || got != f {
			t.Error(got, err)
		}
	}
	for _, name := range []string{"", "raw", "json"} {
		if _, err := schema.ParseFormat(name); err == nil || !strings.Contains(err.Error(), "raw, ecs, ocsf, cef, leef") {
			t.Error(name, err)
		}
	}
}

// The same record has the same bytes, whatever the order of a payload's map.
func TestWriters_SameRecordSameBytes(t *testing.T) {
	table, keys := load(t), payloadKeys(t)
	for _, f := range formats {
		w := schema.NewWriter(schema.Options{Format: f, KeepOriginal: true})
		var a schema.Activity
		for _, typ := range []string{"project.application.config.oidc.added", "oidc_session.added", "instance.smtp.config.added", "user.human.added"} {
			r := synthetic(typ, keys[typ])
			table.Event(&a, &r)
			first := string(w.AppendLine(nil, &a))
			for range 20 {
				table.Event(&a, &r)
				if got := string(w.AppendLine(nil, &a)); got != first {
					t.Fatalf("%s in %s:\n%s\n%s", typ, f, first, got)
				}
			}
		}
	}
}

// What an analyst keeps is the redacted original, only where it is asked for and
// only where the format has a field for it.
func TestWriters_KeepOriginal(t *testing.T) {
	table, keys := load(t), payloadKeys(t)
	r := synthetic("user.human.added", keys["user.human.added"])
	var a schema.Activity
	table.Event(&a, &r)
	for f, key := range map[schema.Format]string{schema.ECS: "event", schema.OCSF: "raw_data", schema.CEF: "", schema.LEEF: ""} {
		for _, keep := range []bool{false, true} {
			line := schema.NewWriter(schema.Options{Format: f, KeepOriginal: keep}).AppendLine(nil, &a)
			has := strings.Contains(string(line), "encodedHash")
			if want := keep && key != ""; has != want {
				t.Errorf("%s, keep_original %v: %s", f, keep, line)
			}
			if !has {
				continue
			}
			doc := decodeLine(t, line)
			original, _ := doc[key].(string)
			if m, ok := doc[key].(map[string]any); ok {
				original, _ = m["original"].(string)
			}
			if original != string(record.AppendJSON(nil, &r)) || !strings.Contains(original, "[REDACTED]") {
				t.Errorf("%s: %s", f, original)
			}
		}
	}
}

// Law 7: what is beside a line never takes the place of a field: its keys are known.
func TestLaw7_TopLevelKeysAreReserved(t *testing.T) {
	for _, f := range formats {
		seen := map[string]bool{}
		for _, o := range []schema.Options{{Format: f, KeepOriginal: true}, {Format: f, OCSF19: true}} {
			w, n := schema.NewWriter(o), 0
			everything(t, func(name string, a *schema.Activity) {
				if n++; n%5 != 0 && n < 7000 { // the synthetic ones are at the end
					return
				}
				v, _, err := msgp.ReadIntfBytes(w.AppendMsgpack(nil, a, 0, nil)[11:])
				m, ok := v.(map[string]any)
				if err != nil || !ok {
					t.Fatal(err)
				}
				for key := range m {
					if seen[key] = true; !f.Reserved(key) {
						t.Errorf("%s of %s in %s is not reserved", key, name, f)
					}
				}
			})
		}
		if f.Reserved("kubernetes") || f.Reserved("") {
			t.Errorf("%s reserves too much", f)
		}
		t.Logf("%s: %d keys", f, len(seen))
	}
}

// One table serves any number of goroutines, each with its own writer.
func TestTable_IsSafeForConcurrentUse(t *testing.T) {
	table, keys := load(t), payloadKeys(t)
	want := sampleLine(t, "oidc_session.added", schema.Options{Format: schema.ECS})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			w := schema.NewWriter(schema.Options{Format: schema.ECS})
			var a schema.Activity
			for range 50 {
				r := synthetic("oidc_session.added", keys["oidc_session.added"])
				table.Event(&a, &r)
				if got := w.AppendLine(nil, &a); string(got) != string(want) {
					t.Errorf("%s", got)
				}
				r = synthetic("new.type", nil)
				table.Event(&a, &r)
			}
		})
	}
	wg.Wait()
}
