package actionsscripts

// What ZITADEL does around a script (internal/actions and internal/api/ui/login of its
// source), as far as a script can tell: a fresh engine for each run, lower-cased names of Go
// fields, the context as Go maps and structs, modules that are loaded by require, panics
// and exceptions that end the run.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/dop251/goja"
	"github.com/dop251/goja_nodejs/console"
	"github.com/dop251/goja_nodejs/require"
)

type (
	fields     map[string]any
	authMethod string

	authRequest struct {
		Id, AgentId, UserId, UserName, LoginName string
		ApplicationId, InstanceId, ResourceOwner string
		SelectedIdpConfigId                      string
		CreationDate, ChangeDate, AuthTime       time.Time
	}

	httpRequest struct {
		Method, Url, Proto, Host, RemoteAddr string
		ContentLength                        int64
		Form, PostForm, Headers              map[string][]string
	}

	// login is what one run of an action is about.
	login struct {
		AuthMethod  authMethod
		AuthError   string
		AuthRequest authRequest
		HttpRequest httpRequest
	}
)

// printer is ZITADEL's log.
type printer struct{ lines []string }

func (p *printer) Log(s string)   { p.lines = append(p.lines, s) }
func (p *printer) Warn(s string)  { p.lines = append(p.lines, "warning: "+s) }
func (p *printer) Error(s string) { p.lines = append(p.lines, "error: "+s) }

// engine runs scripts. What it lacks, a script cannot load.
type engine struct {
	printer *printer
	modules map[string]require.ModuleLoader
	vm      *goja.Runtime
}

func newEngine() *engine {
	e := &engine{printer: new(printer), vm: goja.New()}
	e.vm.SetFieldNameMapper(goja.UncapFieldNameMapper())
	e.modules = map[string]require.ModuleLoader{
		"zitadel/log":  console.RequireWithPrinter(e.printer),
		"zitadel/http": httpModule,
	}
	return e
}

// run is one run of the action name. The error is what ends a login if the action is not
// allowed to fail.
func (e *engine) run(script, name string, ctx fields) (err error) {
	var action func(ctx, api fields) error
	defer recoverTo(&err)
	if err := e.load(script); err != nil {
		return err
	}
	function := e.vm.Get(name)
	if function == nil {
		return errors.New("function not found")
	}
	if err := e.vm.ExportTo(function, &action); err != nil {
		return err
	}
	return action(ctx, fields{"v1": fields{"user": fields{}}})
}

// runWith is run with a context that is a JavaScript expression, for values that
// ZITADEL does not have today.
func (e *engine) runWith(script, name, ctx string) (err error) {
	defer recoverTo(&err)
	if err := e.load(script); err != nil {
		return err
	}
	value, err := e.vm.RunString("(" + ctx + ")")
	if err != nil {
		return fmt.Errorf("the test's own context: %w", err)
	}
	action, ok := goja.AssertFunction(e.vm.Get(name))
	if !ok {
		return errors.New("function not found")
	}
	_, err = action(goja.Undefined(), value, e.vm.NewObject())
	return err
}

func (e *engine) load(script string) error {
	registry := new(require.Registry)
	registry.Enable(e.vm)
	for name, loader := range e.modules {
		registry.RegisterNativeModule(name, loader)
	}
	_, err := e.vm.RunString(script)
	return err
}

func recoverTo(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("panic: %v", r)
	}
}

// context is the context of a login as ZITADEL builds it.
func (e *engine) context(l login) fields {
	return fields{"v1": fields{
		"authMethod":  l.AuthMethod,
		"authError":   l.AuthError,
		"authRequest": e.vm.ToValue(&l.AuthRequest),
		"httpRequest": e.vm.ToValue(&l.HttpRequest),
	}}
}

// httpModule is zitadel/http: errors are Go panics, headers are strings split at commas
// or lists, the body is written as JSON.
func httpModule(vm *goja.Runtime, module *goja.Object) {
	exports := module.Get("exports").(*goja.Object)
	_ = exports.Set("fetch", func(call goja.FunctionCall) goja.Value {
		method, header, body := http.MethodGet, http.Header{}, io.Reader(nil)
		options := call.Argument(1).ToObject(vm)
		for _, key := range options.Keys() {
			switch value := options.Get(key); key {
			case "method":
				method = value.String()
			case "headers":
				header = headersOf(value.ToObject(vm))
			case "body":
				encoded, err := value.ToObject(vm).MarshalJSON()
				if err != nil {
					panic(err)
				}
				body = bytes.NewReader(encoded)
			default:
				panic(errors.New("key is invalid"))
			}
		}
		request, err := http.NewRequest(method, call.Argument(0).Export().(string), body)
		if err != nil {
			panic(err)
		}
		request.Header = header
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			panic(err)
		}
		defer answer.Body.Close()
		return vm.ToValue(&struct{ Status int }{answer.StatusCode})
	})
}

func headersOf(object *goja.Object) http.Header {
	header := http.Header{}
	for _, key := range object.Keys() {
		switch value := object.Get(key).Export().(type) {
		case string:
			for part := range strings.SplitSeq(value, ",") {
				header.Add(key, strings.TrimSpace(part))
			}
		case []any:
			for _, part := range value {
				header.Add(key, strings.TrimSpace(part.(string)))
			}
		}
	}
	return header
}

// recorded reads a context that a real ZITADEL had.
func recorded(t testing.TB, file string) (l login) {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &l); err != nil {
		t.Fatal(err)
	}
	return l
}
