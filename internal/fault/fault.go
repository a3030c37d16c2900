// Package fault turns a panic into an error.
//
// The value of a panic is never printed: it may hold data of an event, or a
// secret. The error names its type. A [runtime.Error] is printed, because its
// text holds only types, indexes and lengths.
//
// The package cannot catch what Go itself does not let anyone recover: a
// concurrent write to a map, a stack overflow, memory that has run out, and a
// panic on a goroutine that does not call this package.
package fault

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Error is a panic that was caught. Its text is one line and asks the user to
// report it.
type Error struct {
	text string
	// Stack is the stack of the goroutine that panicked. It holds names and
	// addresses, and no values.
	Stack string
}

func (e *Error) Error() string {
	return e.text + " (a bug in this program, please report it)"
}

// Of makes an error of what recover returned. It must be called by the function
// that called recover, so that the stack is the one of the panic.
func Of(recovered any) *Error {
	e := &Error{text: fmt.Sprintf("panic of type %T", recovered), Stack: string(debug.Stack())}
	if err, ok := recovered.(runtime.Error); ok {
		e.text = "panic: " + err.Error()
	}
	return e
}

// Catch is for a defer statement. If the function panics, its result *err
// becomes an [*Error].
func Catch(err *error) {
	if v := recover(); v != nil {
		*err = Of(v)
	}
}

// Contain calls f and returns its error. If f panics, the error is an [*Error].
func Contain(f func() error) (err error) {
	defer Catch(&err)
	return f()
}
