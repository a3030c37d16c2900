package scripts

import (
	"reflect"
	"strings"

	"github.com/dop251/goja/ast"
)

// walk calls visit for root and everything below it. goja's tree has no walker of its
// own; by reflection, no kind of node can be forgotten.
func walk(root ast.Node, visit func(ast.Node)) { walkValue(reflect.ValueOf(root), visit) }

func walkValue(v reflect.Value, visit func(ast.Node)) {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if !v.IsNil() {
			walkValue(v.Elem(), visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			walkValue(v.Index(i), visit)
		}
	case reflect.Struct:
		if !strings.HasSuffix(v.Type().PkgPath(), "goja/ast") {
			return // positions and the file
		}
		if v.CanAddr() {
			if n, ok := v.Addr().Interface().(ast.Node); ok {
				visit(n)
			}
		}
		for i := range v.NumField() {
			// The declarations of a function are in its body too.
			if f := v.Type().Field(i); f.IsExported() && f.Name != "DeclarationList" {
				walkValue(v.Field(i), visit)
			}
		}
	}
}
