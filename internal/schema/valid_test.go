package schema_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ocsfAttr is an attribute as the official schema defines it.
type ocsfAttr struct {
	T                                    string
	Array, Required, Profile, Deprecated bool
	Enum                                 []string
}

type ocsfType struct {
	Attrs       map[string]ocsfAttr
	Constraints map[string][]string
}

// ocsfSchema is the official schema, reduced to what is written.
type ocsfSchema struct {
	Version string
	Classes map[string]ocsfType
	Objects map[string]ocsfType
	Types   map[string]struct {
		Type, Regex string
		Max         int `json:"max_len"`
		Range       []float64
	}
	regexps map[string]*regexp.Regexp
}

func loadOCSF(tb testing.TB, names ...string) *ocsfSchema {
	tb.Helper()
	s := &ocsfSchema{Classes: map[string]ocsfType{}, Objects: map[string]ocsfType{}, regexps: map[string]*regexp.Regexp{}}
	for _, name := range names {
		var part ocsfSchema
		if err := json.Unmarshal(readFile(tb, "testdata/"+name), &part); err != nil {
			tb.Fatal(err)
		}
		s.Version = part.Version
		maps.Copy(s.Classes, part.Classes)
		maps.Copy(s.Objects, part.Objects)
		if len(part.Types) > 0 {
			s.Types = part.Types
		}
	}
	for name, t := range s.Types {
		if t.Regex != "" {
			s.regexps[name] = regexp.MustCompile(t.Regex)
		}
	}
	if len(s.Classes) < 7 || len(s.Objects) < 50 || len(s.Types) < 20 {
		tb.Fatal("the schema is incomplete")
	}
	return s
}

// check returns what is wrong with a record.
func (s *ocsfSchema) check(doc map[string]any) (wrong []string) {
	number := func(key string) int64 {
		n, _ := doc[key].(json.Number)
		i, err := n.Int64()
		if err != nil {
			wrong = append(wrong, key+" is no integer")
		}
		return i
	}
	class, activity := number("class_uid"), number("activity_id")
	c, ok := s.Classes[strconv.FormatInt(class, 10)]
	if !ok {
		return append(wrong, fmt.Sprint("no class ", class))
	}
	if number("type_uid") != class*100+activity {
		wrong = append(wrong, "type_uid is not class_uid*100+activity_id")
	}
	if activity == 99 && (doc["activity_name"] == nil || doc["activity_name"] == "") {
		wrong = append(wrong, "activity 99 without a name")
	}
	if m, _ := doc["metadata"].(map[string]any); m["version"] != s.Version {
		wrong = append(wrong, fmt.Sprint("metadata.version is not ", s.Version))
	}
	return s.object(wrong, "", c, doc)
}

func (s *ocsfSchema) object(wrong []string, path string, t ocsfType, doc map[string]any) []string {
	for _, key := range slices.Sorted(maps.Keys(doc)) {
		a, ok := t.Attrs[key]
		switch at := path + key; {
		case !ok:
			wrong = append(wrong, at+" is no attribute")
		case a.Profile:
			wrong = append(wrong, at+" needs a profile")
		case a.Deprecated:
			wrong = append(wrong, at+" is deprecated")
		case a.Array:
			list, isList := doc[key].([]any)
			if !isList {
				wrong = append(wrong, at+" is no list")
			}
			for _, v := range list {
				wrong = s.value(wrong, at, a, v)
			}
		default:
			wrong = s.value(wrong, at, a, doc[key])
		}
	}
	for key, a := range t.Attrs {
		if _, ok := doc[key]; a.Required && !a.Profile && !ok {
			wrong = append(wrong, path+key+" is required")
		}
	}
	for rule, keys := range t.Constraints {
		n := 0
		for _, key := range keys {
			if _, ok := doc[key]; ok {
				n++
			}
		}
		if n == 0 || rule == "just_one" && n > 1 {
			wrong = append(wrong, fmt.Sprint(path, " wants ", rule, " of ", keys))
		}
	}
	return wrong
}

func (s *ocsfSchema) value(wrong []string, at string, a ocsfAttr, v any) []string {
	if name, ok := strings.CutPrefix(a.T, "object:"); ok {
		o, isMap := v.(map[string]any)
		if !isMap {
			return append(wrong, at+" is no object")
		}
		if name == "object" {
			return wrong
		}
		t, ok := s.Objects[name]
		if !ok {
			return append(wrong, at+": the schema has no object "+name)
		}
		return s.object(wrong, at+".", t, o)
	}
	t := s.Types[a.T]
	base := a.T
	if t.Type != "" {
		base = t.Type
	}
	switch base {
	case "json_t":
		return wrong
	case "boolean_t":
		if _, ok := v.(bool); !ok {
			wrong = append(wrong, at+" is no boolean")
		}
	case "integer_t", "long_t":
		n, ok := v.(json.Number)
		i, err := n.Int64()
		if !ok || err != nil {
			return append(wrong, at+" is no integer")
		}
		if len(t.Range) == 2 && (float64(i) < t.Range[0] || float64(i) > t.Range[1]) {
			wrong = append(wrong, at+" is out of its range")
		}
		if len(a.Enum) > 0 && !slices.Contains(a.Enum, n.String()) {
			wrong = append(wrong, at+" is "+n.String()+", which is none of its values")
		}
	case "string_t":
		text, ok := v.(string)
		if !ok {
			return append(wrong, at+" is no string")
		}
		if re := s.regexps[a.T]; re != nil && !re.MatchString(text) {
			wrong = append(wrong, fmt.Sprintf("%s is %q, which is no %s", at, text, a.T))
		}
		if t.Max > 0 && len(text) > t.Max {
			wrong = append(wrong, at+" is too long")
		}
		if len(a.Enum) > 0 && !slices.Contains(a.Enum, text) {
			wrong = append(wrong, at+" is "+text+", which is none of its values")
		}
	default:
		wrong = append(wrong, at+": no type "+a.T)
	}
	return wrong
}

// ecsFields are the official fields: name to type, with a * where it is a list.
type ecsFields map[string]string

func loadECS(tb testing.TB) ecsFields {
	tb.Helper()
	fields := ecsFields{}
	for line := range strings.Lines(string(readFile(tb, "testdata/ecs-9.4.0.tsv.gz"))) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 3 {
			continue // the header
		}
		fields[f[0]] = f[1]
		if f[2] == "array" {
			fields[f[0]] += "*"
		}
	}
	if len(fields) < 2700 {
		tb.Fatal(len(fields))
	}
	return fields
}

// ecsAllowed are the allowed values of ECS 9.4.0, and the types expected of a category.
var ecsAllowed = map[string][]string{
	"event.kind":    {"alert", "asset", "enrichment", "event", "metric", "state", "pipeline_error", "signal"},
	"event.outcome": {"failure", "success", "unknown"},
	"event.type": {
		"access", "admin", "allowed", "change", "connection", "creation", "deletion", "denied", "device", "end", "error", "group", "indicator", "info", "installation", "protocol", "start", "user",
	},
	"event.category": {
		"api", "authentication", "configuration", "database", "driver", "email", "file", "host", "iam", "intrusion_detection", "library", "malware", "network", "package", "process", "registry",
		"session", "threat", "vulnerability", "web",
	},
	"authentication": {"start", "end", "info"},
	"session":        {"start", "end", "info"},
	"iam":            {"admin", "change", "creation", "deletion", "group", "info", "user"},
	"configuration":  {"access", "change", "creation", "deletion", "info"},
	"api":            {"access", "admin", "allowed", "change", "creation", "deletion", "denied", "end", "info", "start", "user"},
	"process":        {"access", "change", "end", "info", "start"},
	"web":            {"access", "error", "info"},

	"intrusion_detection": {"allowed", "denied", "info"},
}

// check returns what is wrong with a document. All that ECS does not have must
// be below "zitadel".
func (f ecsFields) check(doc map[string]any) (wrong []string) {
	for _, key := range []string{"@timestamp", "ecs", "message", "event"} {
		if doc[key] == nil {
			wrong = append(wrong, key+" is missing")
		}
	}
	wrong = f.object(wrong, "", doc)
	event, _ := doc["event"].(map[string]any)
	for _, key := range []string{"id", "action", "kind", "outcome"} {
		if event[key] == nil {
			wrong = append(wrong, "event."+key+" is missing")
		}
	}
	var allowed []string
	categories, _ := event["category"].([]any)
	for _, c := range categories {
		allowed = append(allowed, ecsAllowed[fmt.Sprint(c)]...)
	}
	types, _ := event["type"].([]any)
	for _, t := range types {
		if !slices.Contains(allowed, fmt.Sprint(t)) {
			wrong = append(wrong, fmt.Sprintf("event.type %v does not go with %v", t, categories))
		}
	}
	return wrong
}

func (f ecsFields) object(wrong []string, path string, doc map[string]any) []string {
	for _, key := range slices.Sorted(maps.Keys(doc)) {
		at := path + key
		if at == "zitadel" {
			continue
		}
		typ, ok := f[at]
		if m, isMap := doc[key].(map[string]any); isMap {
			if ok && typ != "object" {
				wrong = append(wrong, at+" is no map in ECS")
			}
			if len(m) == 0 {
				wrong = append(wrong, at+" is empty")
			}
			wrong = f.object(wrong, at+".", m)
			continue
		}
		if !ok {
			wrong = append(wrong, at+" is no field of ECS")
			continue
		}
		list, isList := doc[key].([]any)
		if plain, array := strings.CutSuffix(typ, "*"); array != isList {
			wrong = append(wrong, at+": list and single value are mixed up")
		} else if typ = plain; !isList {
			list = []any{doc[key]}
		}
		for _, v := range list {
			if why := ecsValue(at, typ, v); why != "" {
				wrong = append(wrong, at+" "+why)
			}
		}
	}
	return wrong
}

func ecsValue(at, typ string, v any) string {
	text, isText := v.(string)
	switch typ {
	case "keyword", "wildcard", "match_only_text", "constant_keyword":
		if !isText {
			return "is no text"
		}
		if allowed := ecsAllowed[at]; allowed != nil && !slices.Contains(allowed, text) {
			return "is " + text
		}
	case "date":
		if _, err := time.Parse(time.RFC3339Nano, text); err != nil {
			return "is no time"
		}
	case "ip":
		if _, err := netip.ParseAddr(text); err != nil {
			return "is no address"
		}
	case "long":
		n, ok := v.(json.Number)
		if _, err := n.Int64(); !ok || err != nil {
			return "is no integer"
		}
	default:
		return "is of type " + typ + ", which is not checked"
	}
	return ""
}

// decodeLine decodes one line of JSON, numbers as they stand.
func decodeLine(tb interface{ Fatalf(string, ...any) }, line []byte) map[string]any {
	d := json.NewDecoder(strings.NewReader(string(line)))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		tb.Fatalf("%v: %s", err, line)
	}
	return m
}
