package docs

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A message is a text of the code that a user can meet. What varies is "...".
type message struct {
	text string
	file string
	line int
	call string // what takes the text, such as fmt.Errorf
	fix  bool   // the call gives a fix beside the text
}

// A speaker is a function of the program, or a struct, that takes parts of a message.
type speaker struct {
	parts []int // positions of the arguments that make the text, joined by ": "
	fix   int   // position of the argument that says what to do; -1 if there is none
}

// speakers are by package and name. Beside them stand fmt.Errorf, errors.New, http.Error
// and the methods Warn and Error of loggers.
var speakers = map[string]speaker{
	"internal/config.fail":           {[]int{2}, 3},
	"internal/config.warn":           {[]int{2}, 3},
	"internal/config.valueError":     {[]int{0}, 1},
	"internal/config.f.fail":         {[]int{1}, -1}, // of sources.go
	"internal/config.f.failAt":       {[]int{1}, -1},
	"internal/config.f.warn":         {[]int{0}, -1},
	"internal/flbconf.Finding":       {[]int{3, 4}, 5},
	"internal/flbconf.find":          {[]int{3, 4}, 5},
	"internal/flbconf.add":           {[]int{3, 4}, 5},
	"internal/flbconf.refuse":        {[]int{2, 3}, 4},
	"internal/flbconf.fail":          {[]int{0, 1}, 2},
	"internal/check.say":             {[]int{2}, 3},
	"internal/sidecar.add":           {[]int{3}, 2},
	"internal/schema.fail":           {[]int{1}, -1},
	"internal/detect.fail":           {[]int{1}, -1},
	"internal/forward.greetError":    {[]int{2}, 3},
	"internal/zitadel.localStop":     {[]int{0}, -1},
	"internal/webhook.warn":          {[]int{1}, 2},
	"internal/input.warnUnowned":     {[]int{0}, -1},
	"plugin/in_zitadel.input.Refuse": {[]int{1}, -1},
	"cmd/zitadel-siem.console.Line":  {[]int{0}, -1},
	"internal/setup/scripts.note":    {[]int{1}, 2},
	"internal/setup/scripts.Finding": {[]int{2}, 3},
	"internal/hostlog.line":          {[]int{2}, -1},
}

// fields are texts in literals of structs, by package and field.
var fields = []string{"internal/zitadel.fix", "internal/zitadel.fixGRPC", "internal/zitadel.text", "internal/input.Refusal", "internal/sidecar.Problem", "internal/events.Message", "internal/setup/scripts.warning"}

// collector collects the messages of one package.
type collector struct {
	fset   *token.FileSet
	dir    string
	consts map[string][]ast.Expr // what a constant is, by its name
	locals map[string][]ast.Expr // what a variable of the function may be
	list   []message
}

// messages are the texts in the code that a user can meet, sorted by file and line. They are
// read once for all tests.
func messages(t *testing.T) []message {
	t.Helper()
	if collected == nil {
		collected = collect(t)
	}
	return collected
}

var collected []message

func collect(t *testing.T) (list []message) {
	t.Helper()
	fset := token.NewFileSet()
	packages := map[string][]*ast.File{}
	for _, file := range files(t, func(file string) bool {
		return path.Ext(file) == ".go" && !strings.HasSuffix(file, "_test.go") && silent(path.Dir(file)) == ""
	}) {
		tree, err := parser.ParseFile(fset, filepath.Join(root, file), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		packages[path.Dir(file)] = append(packages[path.Dir(file)], tree)
	}
	for dir, trees := range packages {
		c := &collector{fset: fset, dir: dir, consts: map[string][]ast.Expr{}}
		for _, tree := range trees {
			c.constants(tree)
		}
		for _, tree := range trees {
			ast.Inspect(tree, c.visit)
		}
		list = append(list, c.list...)
	}
	slices.SortFunc(list, func(a, b message) int { return cmp.Or(strings.Compare(a.file, b.file), a.line-b.line) })
	return list
}

// constants notes what constants are, so that a text can be put together from them.
func (c *collector) constants(tree *ast.File) {
	ast.Inspect(tree, func(n ast.Node) bool {
		if decl, ok := n.(*ast.GenDecl); ok && decl.Tok == token.CONST {
			for _, spec := range decl.Specs {
				v := spec.(*ast.ValueSpec)
				for i := range v.Values {
					c.consts[v.Names[i].Name] = v.Values[i : i+1]
				}
			}
		}
		return true
	})
}

// variables notes what a function assigns to its variables.
func (c *collector) variables(f *ast.FuncDecl) {
	c.locals = map[string][]ast.Expr{}
	ast.Inspect(f, func(n ast.Node) bool {
		if set, ok := n.(*ast.AssignStmt); ok && len(set.Lhs) == len(set.Rhs) && (set.Tok == token.ASSIGN || set.Tok == token.DEFINE) {
			for i, left := range set.Lhs {
				if name, ok := left.(*ast.Ident); ok {
					c.locals[name.Name] = append(c.locals[name.Name], set.Rhs[i])
				}
			}
		}
		return true
	})
}

func (c *collector) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.FuncDecl:
		c.variables(n)
	case *ast.CallExpr:
		c.called(n)
	case *ast.CompositeLit:
		if name, ok := n.Type.(*ast.Ident); ok {
			c.say(n, name.Name, n.Elts)
		}
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			if name := nameOf(left); len(n.Lhs) == len(n.Rhs) && slices.Contains(fields, c.dir+"."+name) {
				c.take(n, name, c.texts(n.Rhs[i]), false)
			}
		}
	case *ast.KeyValueExpr:
		if name, ok := n.Key.(*ast.Ident); ok && slices.Contains(fields, c.dir+"."+name.Name) {
			c.take(n, name.Name, c.texts(n.Value), false)
		}
	}
	return true
}

// nameOf is the name of a variable or a field.
func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// called takes the text of a call, if it is one that users see.
func (c *collector) called(call *ast.CallExpr) {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		if f.Name == "append" && len(call.Args) == 2 && strings.EqualFold(nameOf(call.Args[0]), "warnings") {
			c.take(call, "warnings", c.texts(call.Args[1]), false)
		}
		c.say(call, f.Name, call.Args)
	case *ast.SelectorExpr:
		on := ""
		if x, ok := f.X.(*ast.Ident); ok {
			on = x.Name
		}
		switch name := on + "." + f.Sel.Name; {
		case name == "fmt.Errorf", name == "errors.New":
			c.take(call, name, c.texts(call.Args[0]), false)
		case name == "http.Error":
			c.take(call, name, c.texts(call.Args[1]), false)
		case (f.Sel.Name == "Warn" || f.Sel.Name == "Error") && len(call.Args) > 0:
			c.take(call, f.Sel.Name, c.texts(call.Args[0]), false)
		case !c.say(call, name, call.Args):
			c.say(call, f.Sel.Name, call.Args)
		}
	}
}

// say takes the text that a speaker is given.
func (c *collector) say(n ast.Node, name string, args []ast.Expr) bool {
	s, ok := speakers[c.dir+"."+name]
	if !ok || len(args) <= max(slices.Max(s.parts), s.fix) {
		return false
	}
	if v, ok := args[0].(*ast.Ident); ok && slices.Contains([]string{"passes", "skips", "notes"}, v.Name) {
		return true // findings of check that are no problem
	}
	texts := c.texts(args[s.parts[0]])
	for _, i := range s.parts[1:] {
		texts = product(texts, []string{": "}, c.texts(args[i]))
	}
	c.take(n, name, texts, s.fix >= 0 && !slices.Equal(c.texts(args[s.fix]), []string{""}))
	return true
}

func (c *collector) take(n ast.Node, call string, texts []string, fix bool) {
	at := c.fset.Position(n.Pos())
	file, _ := filepath.Rel(root, at.Filename)
	for _, text := range texts {
		c.list = append(c.list, message{collapse(text), filepath.ToSlash(file), at.Line, call, fix})
	}
}

// verb is one of fmt, with the quotes that %q prints.
var verb = regexp.MustCompile(`%[-+# 0.]*[0-9]*(?:\.[0-9]+)?[a-zA-Z]`)

// texts are what an expression may be, with "..." for what varies.
func (c *collector) texts(e ast.Expr) []string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if s, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return []string{strings.ReplaceAll(verb.ReplaceAllString(s, "..."), "%%", "%")}
		}
	case *ast.ParenExpr:
		return c.texts(e.X)
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return product(c.texts(e.X), c.texts(e.Y))
		}
	case *ast.Ident:
		if values, ok := c.consts[e.Name]; ok {
			return c.texts(values[0])
		}
		return c.variable(e.Name)
	case *ast.CallExpr:
		if f, ok := e.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Sprintf" {
			return c.texts(e.Args[0])
		}
	}
	return []string{"..."}
}

func (c *collector) variable(name string) (texts []string) {
	values := c.locals[name]
	delete(c.locals, name) // a variable may be set to itself and more
	defer func() { c.locals[name] = values }()
	for _, value := range values {
		texts = append(texts, c.texts(value)...)
	}
	if texts == nil {
		return []string{"..."}
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

// product joins each text of one list with each of the next.
func product(lists ...[]string) []string {
	all := []string{""}
	for _, list := range lists {
		var next []string
		for _, a := range all {
			for _, b := range list {
				next = append(next, a+b)
			}
		}
		all = next
	}
	return all
}

var holes = regexp.MustCompile(`(?:\.\.\.)+`)

// collapse makes one line of a text, with one "..." for what varies in a row.
func collapse(text string) string {
	return holes.ReplaceAllString(strings.Join(strings.Fields(text), " "), "...")
}
