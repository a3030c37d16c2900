package parser

import (
	"reflect"
	"testing"
)

// shapeless are the fields that appendShape leaves out: the id has the first two beside
// the hash, Read is not part of what the line says, and the strings of a record end with
// Raw, whose length therefore follows from the others.
var shapeless = map[string]bool{"Time": true, "Instance": true, "Read": true, "Join": true, "Raw": true, "hash": true}

// Two records that differ in one field, or have one text in different fields, must not
// get the same id. A field that is new in Record, Login or Request needs a place in
// appendShape.
func TestLaw7_EveryFieldChangesTheID(t *testing.T) {
	type changed struct{ name, shape string }
	var all []changed
	var each func(prefix string, typ reflect.Type, index []int)
	each = func(prefix string, typ reflect.Type, index []int) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			at := append(append([]int(nil), index...), i)
			switch {
			case prefix == "" && shapeless[f.Name]:
				continue
			case f.Type.Kind() == reflect.Struct:
				each(prefix+f.Name+".", f.Type, at)
				continue
			}
			r := Record{Kind: Access} // with a kind that has every field
			v := reflect.ValueOf(&r).Elem().FieldByIndex(at)
			switch v.Kind() {
			case reflect.String:
				v.SetString("x")
			case reflect.Int64:
				v.SetInt(1)
			case reflect.Uint8:
				v.SetUint(v.Uint() + 1)
				r.Access = Request{}
			case reflect.Bool:
				v.SetBool(true)
			default:
				t.Fatalf("%s%s has a type that this test does not know", prefix, f.Name)
			}
			all = append(all, changed{prefix + f.Name, string(appendShape(nil, &r))})
		}
	}
	each("", reflect.TypeFor[Record](), nil)

	seen := map[string]string{string(appendShape(nil, &Record{Kind: Access})): "no field"}
	for _, c := range all {
		if other, twice := seen[c.shape]; twice {
			t.Errorf("%s and %s give one shape: appendShape does not tell them apart", c.name, other)
		}
		seen[c.shape] = c.name
	}
	if len(all) < 50 {
		t.Errorf("only %d fields", len(all))
	}
}
