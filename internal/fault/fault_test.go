package fault

import (
	"errors"
	"strings"
	"testing"
)

// A panic's value may hold data of an event, so it appears in no text.
func TestContain_NeverShowsTheValueOfAPanic(t *testing.T) {
	for name, value := range map[string]any{
		"string":  "s3cr3t",
		"error":   errors.New("s3cr3t"),
		"struct":  struct{ Text string }{"s3cr3t"},
		"pointer": &struct{ Text string }{"s3cr3t"},
		// An error that wraps a runtime error is not one: its text may be anything.
		"wrapped": errors.Join(errors.New("s3cr3t"), runtimeError(t)),
	} {
		t.Run(name, func(t *testing.T) {
			err := Contain(func() error { panic(value) })
			e, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if strings.Contains(e.Error()+e.Stack, "s3cr3t") {
				t.Errorf("the value is shown: %v\n%s", err, e.Stack)
			}
			if !strings.Contains(e.Error(), "panic of type ") {
				t.Errorf("the type is not named: %v", err)
			}
			if !strings.Contains(e.Stack, "TestContain_NeverShowsTheValueOfAPanic") {
				t.Errorf("the stack does not lead to the panic:\n%s", e.Stack)
			}
		})
	}
}

func runtimeError(t *testing.T) (err error) {
	t.Helper()
	defer func() { err, _ = recover().(error) }()
	var list []int
	return errors.New(string(rune(list[len(t.Name())])))
}

func TestContain_ShowsRuntimeErrors(t *testing.T) {
	err := Contain(func() error { panic(runtimeError(t)) })
	if err == nil || !strings.HasPrefix(err.Error(), "panic: runtime error: index out of range") {
		t.Errorf("got %v", err)
	}
}

func TestContain_ReturnsTheErrorOfTheFunction(t *testing.T) {
	want := errors.New("full")
	if err := Contain(func() error { return want }); err != want {
		t.Errorf("got %v", err)
	}
	if err := Contain(func() error { return nil }); err != nil {
		t.Errorf("got %v", err)
	}
}
