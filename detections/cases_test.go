package detections_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/detections"
	"github.com/zitadel-siem/zitadel-siem/internal/detect"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact/payload"
	"github.com/zitadel-siem/zitadel-siem/internal/schema"
)

// evidence is a file of testdata: what a rule has to find, and what it must not. README.md
// describes it.
type evidence struct {
	Positive []scene `yaml:"positive"`
	Negative []scene `yaml:"negative"`
}

type scene struct {
	Name   string `yaml:"name"`
	Origin string `yaml:"origin"`
	Steps  []step `yaml:"steps"`
}

// step is one record, or several that differ in {{i}}.
type step struct {
	Event  map[string]any `yaml:"event"`  // in the format raw, in short
	Record map[string]any `yaml:"record"` // in the format ecs
	At     time.Duration  `yaml:"at"`     // since the beginning of the scene
	Repeat int            `yaml:"repeat"`
	Every  time.Duration  `yaml:"every"`
}

// began is when every scene begins.
var began = time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)

func readEvidence(tb testing.TB, path string) (e evidence) {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&e); err != nil {
		tb.Fatalf("%s: %v", path, err)
	}
	return e
}

var tableOnce = sync.OnceValues(func() (*schema.Table, error) { return schema.Load(nil, "") })

func loadTable(tb testing.TB) *schema.Table {
	tb.Helper()
	table, err := tableOnce()
	if err != nil {
		tb.Fatal(err)
	}
	return table
}

type moment struct {
	at   time.Time
	line []byte
}

// play returns the records of a scene as lines, in the order in which they come.
func (s *scene) play(tb testing.TB) (all []moment) {
	tb.Helper()
	table := loadTable(tb)
	writer := schema.NewWriter(schema.Options{Format: schema.ECS})
	for n, st := range s.Steps {
		for i := range max(1, st.Repeat) {
			at := began.Add(st.At + time.Duration(i)*st.Every)
			switch {
			case (st.Event == nil) == (st.Record == nil):
				tb.Fatalf("%s: step %d needs either event or record", s.Name, n+1)
			case st.Event != nil:
				var a schema.Activity
				e := eventOf(tb, filled(st.Event, i).(map[string]any), at, uint64(100*n+i+1))
				table.Event(&a, e)
				if !a.Known {
					tb.Errorf("%s: step %d: ZITADEL has no event type %s", s.Name, n+1, e.Type)
				}
				all = append(all, moment{at, writer.AppendLine(nil, &a)})
			default:
				r := filled(st.Record, i).(map[string]any)
				r["@timestamp"] = at.Format(time.RFC3339Nano)
				if _, ok := r["event.id"]; !ok {
					r["event.id"] = fmt.Sprintf("demo/test/%d/%d", n+1, i+1)
				}
				line, err := json.Marshal(r)
				if err != nil {
					tb.Fatal(err)
				}
				all = append(all, moment{at, line})
			}
		}
	}
	return all
}

// filled replaces {{i}} in all texts.
func filled(v any, i int) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "{{i}}", strconv.Itoa(i+1))
	case map[string]any:
		m := maps.Clone(v)
		for k := range m {
			m[k] = filled(m[k], i)
		}
		return m
	case []any:
		l := slices.Clone(v)
		for k := range l {
			l[k] = filled(l[k], i)
		}
		return l
	}
	return v
}

// eventOf makes an event: type, aggregate ("user/123"), owner, editor, service, payload.
func eventOf(tb testing.TB, m map[string]any, at time.Time, sequence uint64) *record.Event {
	tb.Helper()
	text := func(key, otherwise string) string {
		v, ok := m[key]
		delete(m, key)
		if !ok {
			return otherwise
		}
		return fmt.Sprint(v)
	}
	e := &record.Event{Type: text("type", ""), Time: at, Read: at.Add(time.Second), Source: record.SourceEventsAPI}
	kind, id, _ := strings.Cut(text("aggregate", ""), "/")
	e.Key = record.Key{Instance: text("instance", "demo"), AggregateType: kind, AggregateID: id, Sequence: sequence}
	e.ResourceOwner = text("owner", "100000000000000001")
	e.Editor = record.Editor{ID: text("editor", ""), Name: text("editor_name", ""), Service: text("service", "")}
	if p, ok := m["payload"]; ok {
		b, err := json.Marshal(p)
		if err != nil {
			tb.Fatal(err)
		}
		e.Payload = &structpb.Struct{}
		if err := e.Payload.UnmarshalJSON(b); err != nil {
			tb.Fatal(err)
		}
		delete(m, "payload")
	}
	for key := range m {
		tb.Errorf("an event has no attribute %q: use type, aggregate, owner, editor, editor_name, service, instance, payload", key)
	}
	payload.Record(e)
	return e
}

// alerts plays a scene to all rules and returns the alerts by rule, as records.
func alerts(tb testing.TB, set *detect.Set, moments []moment) map[string][]string {
	tb.Helper()
	found := map[string][]string{}
	live(tb, detect.New(set, detect.Options{Emit: func(a *detect.Alert) {
		found[a.Rule.ID] = append(found[a.Rule.ID], string(record.AppendJSON(nil, a)))
	}}), moments)
	return found
}

// live gives an engine the records when they happen, or late if they are out of order.
func live(tb testing.TB, e *detect.Engine, moments []moment) {
	tb.Helper()
	var now time.Time
	e.Start(began)
	for _, m := range moments {
		if m.at.After(now) {
			now = m.at
		}
		e.Tick(now)
		if !e.Record(m.line, now) {
			tb.Fatalf("no record: %s", m.line)
		}
	}
}

// TestEveryRuleFiresOnItsTruePositivesAndIsSilentOnItsFalseOnes: the evidence of a rule is the
// file of its name in testdata.
func TestEveryRuleFiresOnItsTruePositivesAndIsSilentOnItsFalseOnes(t *testing.T) {
	set := rules(t)
	seen := map[string]bool{}
	for _, r := range set.Rules {
		if !r.Alerts() {
			continue
		}
		t.Run(r.Name, func(t *testing.T) {
			path := filepath.Join("testdata", r.Name+".yml")
			seen[path] = true
			e := readEvidence(t, path)
			if len(e.Positive) == 0 || len(e.Negative) == 0 {
				t.Fatal("a rule needs one scene at least that it finds, and one that it does not")
			}
			for _, s := range slices.Concat(e.Positive, e.Negative) {
				if s.Name == "" || s.Origin == "" || len(s.Steps) == 0 {
					t.Fatal("every scene needs name, origin and steps")
				}
			}
			for _, s := range e.Positive {
				if found := alerts(t, set, s.play(t))[r.ID]; len(found) == 0 {
					t.Errorf("%s: not found", s.Name)
				}
			}
			for _, s := range e.Negative {
				if found := alerts(t, set, s.play(t))[r.ID]; len(found) > 0 {
					t.Errorf("%s: found: %s", s.Name, found[0])
				}
			}
		})
	}
	paths, err := filepath.Glob("testdata/*.yml")
	if err != nil || len(paths) == 0 {
		t.Fatal(err)
	}
	for _, p := range paths {
		if !seen[p] {
			t.Errorf("%s is of no rule: call it as the attribute name of a rule", p)
		}
	}
}

func rules(tb testing.TB) *detect.Set {
	tb.Helper()
	set, err := detections.Rules()
	if err != nil {
		tb.Fatal(err)
	}
	return set
}
