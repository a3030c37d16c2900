// Package host has the functions of Fluent Bit that both plugins use beyond fluent-bit-go: its
// logger, and the names of instances and threads.
package host

/*
#cgo LDFLAGS: -ldl
#include <stdlib.h>
#include "host.h"
*/
import "C"

import (
	"log/slog"
	"os"
	"unsafe"

	"github.com/zitadel-siem/zitadel-siem/internal/hostlog"
)

// Role is the kind of the instances.
type Role string

// The roles, as Fluent Bit's functions are named.
const (
	Input  Role = "input"
	Output Role = "output"
)

// Find finds the functions of the host. Call it before all other functions.
func Find(role Role) {
	s := C.CString(string(role))
	defer C.free(unsafe.Pointer(s))
	C.host_find(s)
}

// Log describes the logger of an instance, a struct flb_input_instance or
// flb_output_instance of the host.
func Log(role Role, instance unsafe.Pointer) hostlog.Host {
	h := hostlog.Host{Name: "zitadel", Level: slog.LevelInfo, Stderr: os.Stderr}
	if s := Name(instance); s != nil {
		h.Name = C.GoString((*C.char)(s))
	}
	if level := C.host_level(instance); level > 0 {
		h.Level = levels[level]
	}
	if C.host_can_print() != 0 {
		h.Print = func(level slog.Level, line string) { printLine(role, h.Name, level, line) }
	}
	return h
}

// Name returns the alias of the instance, or its numbered name, as a C string of the host. It is
// nil if the host does not provide it.
func Name(instance unsafe.Pointer) unsafe.Pointer {
	return unsafe.Pointer(C.host_name(instance))
}

// levels are Fluent Bit's (flb_log.h), by number.
var levels = [...]slog.Level{1: slog.LevelError, 2: slog.LevelWarn, 3: slog.LevelInfo, 4: slog.LevelDebug, 5: slog.LevelDebug - 4}

func printLine(role Role, name string, level slog.Level, line string) {
	number := 1
	for number < len(levels)-1 && level < levels[number] {
		number++
	}
	crole, cname, cline := C.CString(string(role)), C.CString(name), C.CString(line)
	defer C.free(unsafe.Pointer(crole))
	defer C.free(unsafe.Pointer(cname))
	defer C.free(unsafe.Pointer(cline))
	C.host_print(C.int(number), crole, cname, cline)
}

// Thread returns the name of the calling thread, at most 15 bytes.
func Thread() string {
	var name [16]C.char
	C.host_thread(&name[0])
	return C.GoString(&name[0])
}
