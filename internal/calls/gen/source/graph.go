package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Where functions are followed. Others, such as queries and projections, write no event
// that belongs to a call.
var followed = []string{"internal/api/grpc", "internal/command", "internal/repository", "backend/v3/domain"}

const (
	module     = "github.com/zitadel/zitadel/"
	eventMaker = "NewBaseEventForPush"
	protoDir   = "pkg/grpc/"
)

// node is a function or a method: directory, name, and for methods the receiver's type.
type node struct{ dir, recv, name string }

type function struct {
	node
	decl *ast.FuncDecl
	file *file
}

type file struct {
	dir     string
	imports map[string]string // name in the file -> directory in the checkout
}

// source is ZITADEL's code as far as it is followed.
type source struct {
	functions map[node]*function
	methods   map[string]map[string][]*function // directory -> name -> methods
	imports   map[string]map[string]bool        // directory -> directories that it imports
	values    map[node]value                    // constants and variables
}

type value struct {
	expr ast.Expr
	file *file
}

func load(dir string) (*source, error) {
	s := &source{functions: map[node]*function{}, methods: map[string]map[string][]*function{}, imports: map[string]map[string]bool{}, values: map[node]value{}}
	fset := token.NewFileSet()
	for _, root := range append(slices.Clone(followed), "internal/eventstore") {
		err := filepath.WalkDir(filepath.Join(dir, root), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".mock.go") || strings.Contains(path, "/mock/") {
				return err
			}
			parsed, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(dir, filepath.Dir(path))
			if err != nil {
				return err
			}
			s.add(rel, parsed)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if len(s.functions) == 0 {
		return nil, fmt.Errorf("%s holds no source of ZITADEL", dir)
	}
	return s, nil
}

func (s *source) add(dir string, parsed *ast.File) {
	f := &file{dir: dir, imports: map[string]string{}}
	if s.imports[dir] == nil {
		s.imports[dir] = map[string]bool{}
		s.methods[dir] = map[string][]*function{}
	}
	for _, i := range parsed.Imports {
		path, err := strconv.Unquote(i.Path.Value)
		rest, ours := strings.CutPrefix(path, module)
		if err != nil || !ours {
			continue
		}
		name := filepath.Base(path)
		if i.Name != nil {
			name = i.Name.Name
		}
		f.imports[name] = rest
		if name == "v2" || name == "v2beta" { // the package is named after the directory above
			f.imports[filepath.Base(filepath.Dir(path))] = rest
		}
		s.imports[dir][rest] = true
	}
	for _, d := range parsed.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			fn := &function{node: node{dir, receiver(d), d.Name.Name}, decl: d, file: f}
			s.functions[fn.node] = fn
			if fn.recv != "" {
				s.methods[dir][fn.name] = append(s.methods[dir][fn.name], fn)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok {
					for i, n := range v.Names {
						if i < len(v.Values) {
							s.values[node{dir, "", n.Name}] = value{v.Values[i], f}
						}
					}
				}
			}
		}
	}
}

func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return ""
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return "?"
		}
	}
}

// writes returns the types of events of each method of the API.
func (s *source) writes(known map[string]bool) map[string][]string {
	all := map[string][]string{}
	for dir := range s.imports {
		if !strings.HasPrefix(dir, "internal/api/grpc/") {
			continue
		}
		for _, service := range s.services(dir) {
			for _, methods := range s.methods[dir] {
				for _, m := range methods {
					if m.recv != "Server" || !ast.IsExported(m.name) {
						continue
					}
					if types := s.reach(m, known); len(types) > 0 {
						all["/"+service+"/"+m.name] = types
					}
				}
			}
		}
	}
	return all
}

// services returns the services that a package implements: from its call of
// pb.RegisterXServer or pbconnect.NewXHandler.
func (s *source) services(dir string) (names []string) {
	for _, fn := range s.functions {
		if fn.dir != dir || fn.recv != "Server" || fn.name != "RegisterServer" && fn.name != "RegisterConnectServer" {
			continue
		}
		ast.Inspect(fn.decl, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, _ := sel.X.(*ast.Ident)
			if x == nil || !strings.HasPrefix(fn.file.imports[x.Name], protoDir) {
				return true
			}
			at := strings.Split(strings.TrimPrefix(fn.file.imports[x.Name], protoDir), "/")
			if strings.HasSuffix(at[len(at)-1], "connect") {
				at = at[:len(at)-1]
			}
			if len(at) == 1 {
				at = append(at, "v1")
			}
			name := strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(sel.Sel.Name, "New"), "Register"), "Handler"), "Server")
			names = append(names, "zitadel."+strings.Join(at, ".")+"."+name)
			return true
		})
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// hubs are methods of interfaces through which everything reaches everything. What they do
// is found by the types that are made, see following.
var hubs = map[string]bool{
	"Execute": true, "Events": true, "Validate": true, "Invoke": true, "Reduce": true, "Query": true, "AppendEvents": true, "Push": true, "String": true, "Type": true,
	"Payload": true, "UniqueConstraints": true, "SetBaseEvent": true, "Fields": true, "RegisterServer": true, "RegisterConnectServer": true, "RegisterGateway": true,
}

// reach walks from a method to everything that makes an event.
func (s *source) reach(from *function, known map[string]bool) []string {
	seen := map[node]bool{from.node: true}
	types := map[string]bool{}
	for todo := []*function{from}; len(todo) > 0; {
		fn := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		s.made(fn, known, types)
		for _, next := range s.names(fn) {
			if !seen[next.node] {
				seen[next.node] = true
				todo = append(todo, next)
			}
		}
	}
	return slices.Sorted(maps.Keys(types))
}

// names returns the functions that a function names.
func (s *source) names(fn *function) (found []*function) {
	follow := func(n node) {
		if f := s.functions[n]; f != nil {
			found = append(found, f)
		}
		if strings.HasPrefix(n.dir, "backend/v3/domain") { // a command that is made will be run
			for _, list := range s.methods[n.dir] {
				for _, m := range list {
					if m.recv == n.name {
						found = append(found, m)
					}
				}
			}
		}
	}
	ast.Inspect(fn.decl, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok {
				if dir, imported := fn.file.imports[x.Name]; imported {
					follow(node{dir, "", n.Sel.Name})
				}
			}
			if !hubs[n.Sel.Name] {
				for dir := range s.imports[fn.dir] {
					found = append(found, s.methods[dir][n.Sel.Name]...)
				}
				found = append(found, s.methods[fn.dir][n.Sel.Name]...)
			}
			return true
		case *ast.Ident:
			follow(node{fn.dir, "", n.Name})
		}
		return true
	})
	slices.SortFunc(found, func(a, b *function) int {
		return cmp.Or(strings.Compare(a.dir, b.dir), strings.Compare(a.recv, b.recv), strings.Compare(a.name, b.name))
	})
	return slices.Compact(found)
}

// made adds the types of the events that a function makes.
func (s *source) made(fn *function, known, types map[string]bool) {
	ast.Inspect(fn.decl, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) < 3 {
			return true
		}
		if sel, ok := call.Fun.(*ast.SelectorExpr); !ok || sel.Sel.Name != eventMaker {
			return true
		}
		if t, ok := s.text(call.Args[2], fn.file); ok {
			if known[t] {
				types[t] = true
			}
			return true
		}
		// The type is made at run time: any of the same family.
		family := filepath.Base(fn.dir)
		if strings.HasPrefix(family, "feature") {
			family = "feature"
		}
		for t := range known {
			if strings.HasPrefix(t, family+".") {
				types[t] = true
			}
		}
		return true
	})
}

// text evaluates a constant of strings.
func (s *source) text(e ast.Expr, f *file) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		t, err := strconv.Unquote(e.Value)
		return t, err == nil
	case *ast.ParenExpr:
		return s.text(e.X, f)
	case *ast.BinaryExpr:
		a, ok := s.text(e.X, f)
		b, too := s.text(e.Y, f)
		return a + b, ok && too && e.Op == token.ADD
	case *ast.CallExpr: // a conversion
		if len(e.Args) == 1 {
			return s.text(e.Args[0], f)
		}
	case *ast.Ident:
		if v, ok := s.values[node{f.dir, "", e.Name}]; ok {
			return s.text(v.expr, v.file)
		}
	case *ast.SelectorExpr:
		if x, ok := e.X.(*ast.Ident); ok {
			if v, ok := s.values[node{f.imports[x.Name], "", e.Sel.Name}]; ok {
				return s.text(v.expr, v.file)
			}
		}
	}
	return "", false
}
