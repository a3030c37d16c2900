package parser

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"
)

// every calls f with each string of a record, nested ones too, and its name.
func every(v reflect.Value, name string, f func(name string, s reflect.Value)) {
	for i := range v.NumField() {
		switch field, of := v.Field(i), v.Type().Field(i); {
		case !of.IsExported() || of.Type == reflect.TypeFor[time.Time]():
		case field.Kind() == reflect.String:
			f(name+of.Name, field)
		case field.Kind() == reflect.Struct:
			every(field, name+of.Name+".", f)
		}
	}
}

// What is reserved is what records of all kinds have at the top, and nothing else.
func TestReservedNamesAreThoseOfRecords(t *testing.T) {
	seen := map[string]bool{}
	for kind := range Kind(kinds) {
		r := Record{Kind: kind, Time: time.Unix(1, 0), Took: 1, Cut: true, Join: JoinNone}
		every(reflect.ValueOf(&r).Elem(), "", func(_ string, s reflect.Value) { s.SetString("x") })
		var fields map[string]any
		if err := json.Unmarshal(AppendJSON(nil, &r), &fields); err != nil {
			t.Fatal(err)
		}
		for name := range fields {
			if seen[name] = true; !Reserved(name) {
				t.Errorf("%s of a %v is not reserved", name, kind)
			}
		}
	}
	if got, want := slices.Sorted(maps.Keys(seen)), slices.Sorted(slices.Values(reserved)); !slices.Equal(got, want) {
		t.Errorf("records have %v, reserved are %v", got, want)
	}
}

// The same text in another field is another shape, for each two fields of a kind: no field is
// missing in appendShape.
func TestShapeKnowsEveryField(t *testing.T) {
	// Not told by the shape: the instance stands in the id itself, and the raw line is what the rest leaves open.
	untold := map[string]bool{"Instance": true, "Raw": true}
	shapes := map[string]string{}
	var names []string
	every(reflect.ValueOf(&Record{}).Elem(), "", func(name string, _ reflect.Value) { names = append(names, name) })
	for _, name := range names {
		r := Record{Kind: Access}
		every(reflect.ValueOf(&r).Elem(), "", func(other string, s reflect.Value) {
			if other == name {
				s.SetString("x")
			}
		})
		shape := string(appendShape(nil, &r))
		if other, ok := shapes[shape]; ok && !untold[name] {
			t.Errorf("%s and %s have one shape", name, other)
		}
		shapes[shape] = name
	}
	if len(names) < 40 {
		t.Errorf("only %d strings in a record", len(names))
	}
}
