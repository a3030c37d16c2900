package scripts

import (
	"regexp"
	"slices"
	"strings"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/parser"
	"github.com/dop251/goja/token"
)

// leaks says how a script writes or sends secrets of a login: the form, which has the
// password, the headers, which have the session cookies, or an access token. It is empty
// for a script that does not.
//
// It follows values through the script and never runs it. A value that takes a detour
// which it does not know, such as the field of an object or eval, is not found.
func leaks(name, source string) (leak string) {
	if len(source) > maxParsed {
		return leaksByText(source)
	}
	defer func() {
		if recover() != nil { // the parser reads what others wrote
			leak = leaksByText(source)
		}
	}()
	program, err := parser.ParseFile(nil, "", source, parser.IgnoreRegExpErrors, parser.WithDisableSourceMaps)
	if err != nil { // ZITADEL's engine may be newer than ours, and run it
		return leaksByText(source)
	}
	f := &flow{kinds: map[string]kind{"ctx": wholeContext}, returns: map[string]kind{}, functions: map[string]*ast.ParameterList{}}
	f.learn(name, program)
	if leak = f.leak(program); leak == "" && f.steps > maxSteps {
		return leaksByText(source)
	}
	return leak
}

// maxParsed bounds what is parsed, in bytes; ZITADEL takes 40,000. The parser recurses with
// each bracket, and nothing can recover from a stack overflow.
const maxParsed = 64 << 10

// maxSteps bounds the work for one script, to well under a second. A real one needs some
// thousands; one that is nested in thousands of levels would need a square of that.
const maxSteps = 200_000

// kind is what a value has of a login's secrets.
type kind int

const (
	harmless     kind = iota
	wholeContext      // ctx
	wholeVersion      // ctx.v1
	wholeRequest      // ctx.v1.httpRequest
	wholeHeaders      // ctx.v1.httpRequest.headers
	wholeForm         // ctx.v1.httpRequest.form and .postForm
	secret            // a cookie, a password, a token
	dumped            // a text of one of the whole ones
)

func (k kind) whole() bool { return k >= wholeContext && k <= wholeForm }
func (k kind) text() bool  { return k == secret || k == dumped }

var (
	secretHeader = regexp.MustCompile(`(?i)^(cookie|set-cookie|authorization|proxy-authorization)$`)
	secretField  = regexp.MustCompile(`(?i)pass|code|secret|token|otp|credential`)
	tokenMember  = regexp.MustCompile(`^(accessToken|refreshToken|idToken)$`)
	formatDump   = regexp.MustCompile(`%[joO]`)
)

// member is the kind of a member of a value.
func (k kind) member(name string) kind {
	switch {
	case name == "httpRequest":
		return wholeRequest
	case name == "postForm", k == wholeRequest && name == "form":
		return wholeForm
	case k == wholeRequest && name == "headers":
		return wholeHeaders
	case k == wholeContext && name == "v1":
		return wholeVersion
	case k == wholeContext || k == wholeVersion:
		if tokenMember.MatchString(name) {
			return secret
		}
	case k == wholeHeaders && secretHeader.MatchString(name), k == wholeForm && secretField.MatchString(name):
		return secret
	case k.text() && name != "length": // .slice, .join, [0]
		return k
	}
	return harmless
}

// flow is what is known of a script's values. Names have one kind in the whole script:
// a warning too many is better than one too few.
type flow struct {
	kinds     map[string]kind               // of variables and parameters
	returns   map[string]kind               // of functions
	functions map[string]*ast.ParameterList // by name
	changed   bool
	steps     int // see maxSteps
}

// learn finds the kinds of names. Each round follows one more step of a value.
func (f *flow) learn(action string, program *ast.Program) {
	const rounds = 10 // far more steps than a script has
	for range rounds {
		if f.changed = false; f.steps > maxSteps {
			return
		}
		walk(program, func(n ast.Node) { f.visit(action, n) })
		if !f.changed {
			return
		}
	}
}

func (f *flow) visit(action string, n ast.Node) {
	switch n := n.(type) {
	case *ast.FunctionLiteral:
		if n.Name != nil {
			f.function(action, n.Name.Name.String(), n.ParameterList, n)
		}
	case *ast.Binding:
		f.assign(n.Target, n.Initializer)
		if id, ok := n.Target.(*ast.Identifier); ok {
			f.named(action, id.Name.String(), n.Initializer)
		}
	case *ast.AssignExpression:
		f.assign(n.Left, n.Right)
		if id, ok := n.Left.(*ast.Identifier); ok {
			f.named(action, id.Name.String(), n.Right)
		}
	case *ast.CallExpression:
		f.pass(n)
	}
}

// named is a function that is assigned to a name.
func (f *flow) named(action, name string, value ast.Expression) {
	switch value := value.(type) {
	case *ast.FunctionLiteral:
		f.function(action, name, value.ParameterList, value)
	case *ast.ArrowFunctionLiteral:
		f.function(action, name, value.ParameterList, value)
	}
}

func (f *flow) function(action, name string, parameters *ast.ParameterList, body ast.Node) {
	f.functions[name] = parameters
	if name == action && len(parameters.List) > 0 {
		f.bind(parameters.List[0].Target, wholeContext)
	}
	if f.steps > maxSteps {
		return
	}
	walk(body, func(n ast.Node) {
		f.steps++
		switch n := n.(type) {
		case *ast.ReturnStatement:
			f.returned(name, f.kindOf(n.Argument))
		case *ast.ExpressionBody:
			f.returned(name, f.kindOf(n.Expression))
		}
	})
}

func (f *flow) returned(function string, k kind) {
	if k > f.returns[function] {
		f.returns[function], f.changed = k, true
	}
}

// pass gives arguments to the parameters of a function of the script.
func (f *flow) pass(call *ast.CallExpression) {
	id, ok := call.Callee.(*ast.Identifier)
	if !ok {
		return
	}
	parameters := f.functions[id.Name.String()]
	if parameters == nil {
		return
	}
	for i, argument := range call.ArgumentList {
		if i < len(parameters.List) {
			f.bind(parameters.List[i].Target, f.kindOf(argument))
		}
	}
}

func (f *flow) assign(to ast.Node, value ast.Expression) {
	if value != nil {
		f.bind(to, f.kindOf(value))
	}
}

// bind gives a kind to a name, or to the names of a pattern.
func (f *flow) bind(to ast.Node, k kind) {
	switch to := to.(type) {
	case *ast.Identifier:
		if name := to.Name.String(); k > f.kinds[name] {
			f.kinds[name], f.changed = k, true
		}
	case *ast.ObjectPattern:
		for _, p := range to.Properties {
			switch p := p.(type) {
			case *ast.PropertyShort:
				f.bind(&p.Name, k.member(p.Name.Name.String()))
			case *ast.PropertyKeyed:
				if key, ok := p.Key.(*ast.StringLiteral); ok {
					f.bind(p.Value, k.member(key.Value.String()))
				}
			}
		}
		if to.Rest != nil {
			f.bind(to.Rest, k)
		}
	case *ast.AssignExpression: // a default value
		f.bind(to.Left, k)
	}
}

// kindOf is the kind of a value.
func (f *flow) kindOf(e ast.Expression) kind {
	if f.steps++; f.steps > maxSteps {
		return harmless
	}
	switch e := e.(type) {
	case *ast.Identifier:
		return f.kinds[e.Name.String()]
	case *ast.DotExpression:
		return f.kindOf(e.Left).member(e.Identifier.Name.String())
	case *ast.BracketExpression:
		if name, ok := e.Member.(*ast.StringLiteral); ok {
			return f.kindOf(e.Left).member(name.Value.String())
		}
		return f.kindOf(e.Left).member("") // an index of a text stays one
	case *ast.Optional:
		return f.kindOf(e.Expression)
	case *ast.OptionalChain:
		return f.kindOf(e.Expression)
	case *ast.AssignExpression:
		return f.kindOf(e.Right)
	case *ast.ConditionalExpression:
		return max(f.kindOf(e.Consequent), f.kindOf(e.Alternate))
	case *ast.BinaryExpression:
		return f.binary(e)
	case *ast.SequenceExpression:
		return f.kindOf(e.Sequence[len(e.Sequence)-1])
	case *ast.ArrayLiteral:
		return f.most(e.Value)
	case *ast.SpreadElement:
		return f.kindOf(e.Expression)
	case *ast.ObjectLiteral:
		k := harmless
		for _, p := range e.Value {
			k = max(k, f.kindOf(p))
		}
		return k
	case *ast.PropertyKeyed:
		return f.kindOf(e.Value)
	case *ast.PropertyShort:
		return f.kindOf(&e.Name)
	case *ast.TemplateLiteral:
		if k := f.most(e.Expressions); k.text() {
			return k
		}
	case *ast.CallExpression:
		return f.call(e)
	}
	return harmless
}

func (f *flow) most(list []ast.Expression) kind {
	k := harmless
	for _, e := range list {
		k = max(k, f.kindOf(e))
	}
	return k
}

func (f *flow) binary(e *ast.BinaryExpression) kind {
	k := max(f.kindOf(e.Left), f.kindOf(e.Right))
	switch e.Operator {
	case token.LOGICAL_OR, token.LOGICAL_AND, token.COALESCE:
		return k
	case token.PLUS:
		if k.text() { // + makes [object Object] of an object
			return k
		}
	}
	return harmless
}

// listing are functions that make a list or a copy of an object.
var listing = []string{"entries", "values", "assign", "fromEntries", "keys", "getOwnPropertyNames"}

// call is the kind of a function's result.
func (f *flow) call(e *ast.CallExpression) kind {
	most, name := f.most(e.ArgumentList), lastName(e.Callee)
	switch {
	case name == "stringify" && most != harmless:
		return dumped
	case most.whole() && slices.Contains(listing, name):
		if name == "assign" {
			return most
		}
		return dumped
	case most.text():
		return most // String(x), encodeURIComponent(x), list.concat(x)
	}
	switch callee := e.Callee.(type) {
	case *ast.DotExpression:
		if name == "get" && len(e.ArgumentList) > 0 {
			if key, ok := e.ArgumentList[0].(*ast.StringLiteral); ok {
				return f.kindOf(callee.Left).member(key.Value.String())
			}
		}
		return f.kindOf(callee) // text.slice()
	case *ast.Identifier:
		return f.returns[callee.Name.String()]
	}
	return harmless
}

// lastName of logger.log is log.
func lastName(callee ast.Expression) string {
	switch callee := callee.(type) {
	case *ast.Identifier:
		return callee.Name.String()
	case *ast.DotExpression:
		return callee.Identifier.Name.String()
	case *ast.BracketExpression:
		if name, ok := callee.Member.(*ast.StringLiteral); ok {
			return name.Value.String()
		}
	}
	return ""
}

// printing are the functions of zitadel/log and of console.
var printing = []string{"log", "warn", "error", "info", "debug", "trace"}

// leak looks at what the script prints and sends. A text of the whole request anywhere
// counts if the script prints or sends anything: the text may be put together in steps.
func (f *flow) leak(program *ast.Program) string {
	var dumps, outputs, printsSecret bool
	walk(program, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.CallExpression:
			name := lastName(n.Callee)
			prints := slices.Contains(printing, name)
			outputs = outputs || prints || name == "fetch"
			dumps = dumps || f.call(n) == dumped || prints && f.formats(n.ArgumentList)
			printsSecret = printsSecret || prints && f.most(n.ArgumentList) == secret
		case *ast.ForInStatement:
			dumps = dumps || f.kindOf(n.Source) >= wholeRequest
		case *ast.ForOfStatement:
			dumps = dumps || f.kindOf(n.Source) >= wholeRequest
		}
	})
	switch {
	case dumps && outputs:
		return leaksRequest
	case printsSecret:
		return leaksSecret
	}
	return ""
}

// formats reports whether a format such as %j prints a whole object.
func (f *flow) formats(arguments []ast.Expression) bool {
	return f.most(arguments).whole() && slices.ContainsFunc(arguments, func(e ast.Expression) bool {
		text := ""
		walk(e, func(n ast.Node) {
			if s, ok := n.(*ast.StringLiteral); ok {
				text += strings.ReplaceAll(s.Value.String(), "%%", "") + " "
			}
		})
		return formatDump.MatchString(text)
	})
}
