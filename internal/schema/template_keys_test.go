package schema_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"
)

// ofOtherFormats are functions of the common files that ECS does not use.
var ofOtherFormats = []string{"syslog", "record"}

// writtenKeys are the keys that functions write: the first text that a method of a document,
// or a function that takes one, is given.
func writtenKeys(t *testing.T, files ...string) (keys []string) {
	t.Helper()
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || slices.Contains(ofOtherFormats, f.Name.Name) {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || !writes(call) {
					return true
				}
				for _, arg := range call.Args {
					lit, ok := arg.(*ast.BasicLit)
					if !ok || lit.Kind != token.STRING {
						continue
					}
					if key, err := strconv.Unquote(lit.Value); err == nil && key != "" {
						keys = append(keys, key)
					}
					break
				}
				return true
			})
		}
	}
	if len(keys) < 70 {
		t.Fatalf("only %d keys were found", len(keys))
	}
	return keys
}

// writes says whether a call writes to a document: d.X(...) or f(d, ...).
func writes(call *ast.CallExpr) bool {
	isDoc := func(e ast.Expr) bool {
		id, ok := e.(*ast.Ident)
		return ok && id.Name == "d"
	}
	if s, ok := call.Fun.(*ast.SelectorExpr); ok && isDoc(s.X) {
		return true
	}
	return len(call.Args) > 1 && isDoc(call.Args[0])
}
