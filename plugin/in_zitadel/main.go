// Command in_zitadel is the Fluent Bit input plugin "zitadel", built with
// -buildmode=c-shared. It holds the functions that Fluent Bit calls and nothing
// else: package internal/input does the work.
//
// FLBPluginInputPause and FLBPluginInputResume are left out on purpose: they
// carry no instance, Fluent Bit pauses the callbacks by itself, and a bounded
// buffer makes reading wait.
package main

/*
#cgo LDFLAGS: -ldl
#include <stdlib.h>
#include "host.h"
*/
import "C"

import (
	"fmt"
	"os"
	"unsafe"

	flb "github.com/fluent/fluent-bit-go/input"

	"github.com/zitadel-siem/zitadel-siem/internal/fault"
	"github.com/zitadel-siem/zitadel-siem/plugin/host"
)

const (
	name        = "zitadel"
	description = "Reads the audit log of ZITADEL (Events API)"
)

func main() {}

// contain keeps a panic from ending Fluent Bit.
func contain(ret *C.int) {
	if v := recover(); v != nil {
		e := fault.Of(v)
		fmt.Fprintf(os.Stderr, "[input:zitadel] %v\n%s", e, e.Stack)
		*ret = flb.FLB_ERROR
	}
}

// FLBPluginRegister is called once per load of the configuration; on a reload
// before the old instances exit.
//
//export FLBPluginRegister
func FLBPluginRegister(def unsafe.Pointer) (ret C.int) {
	defer contain(&ret)
	host.Find(host.Input)
	C.host_find_append()
	instances.register()
	return C.int(flb.FLBPluginRegister(def, name, description))
}

// FLBPluginInit starts one instance.
//
//export FLBPluginInit
func FLBPluginInit(plugin unsafe.Pointer) (ret C.int) {
	defer contain(&ret)
	if !instances.start(plugin) {
		return flb.FLB_ERROR
	}
	return flb.FLB_OK
}

// FLBPluginInputCallbackCtx is called once a second per instance. Mostly it
// hands everything over by itself and returns no bytes.
//
//export FLBPluginInputCallbackCtx
func FLBPluginInputCallbackCtx(ctx C.uintptr_t, data *unsafe.Pointer, size *C.size_t) (ret C.int) {
	defer contain(&ret)
	*data, *size = nil, 0
	if i := instances.get(uintptr(ctx)); i != nil {
		*data, *size = i.collect()
	}
	return flb.FLB_OK
}

// FLBPluginInputCallback is for Fluent Bit before 4.1.0, which has one instance.
//
//export FLBPluginInputCallback
func FLBPluginInputCallback(data *unsafe.Pointer, size *C.size_t) (ret C.int) {
	defer contain(&ret)
	*data, *size = nil, 0
	if i := instances.only(); i != nil {
		*data, *size = i.collect()
	}
	return flb.FLB_OK
}

// FLBPluginInputCleanupCallbackCtx follows a callback that returned bytes.
//
//export FLBPluginInputCleanupCallbackCtx
func FLBPluginInputCleanupCallbackCtx(ctx C.uintptr_t, data unsafe.Pointer) (ret C.int) {
	defer contain(&ret)
	C.free(data)
	if i := instances.get(uintptr(ctx)); i != nil {
		i.input.Done()
	}
	return flb.FLB_OK
}

// FLBPluginInputCleanupCallback belongs to FLBPluginInputCallback.
//
//export FLBPluginInputCleanupCallback
func FLBPluginInputCleanupCallback(data unsafe.Pointer) (ret C.int) {
	defer contain(&ret)
	C.free(data)
	if i := instances.only(); i != nil {
		i.input.Done()
	}
	return flb.FLB_OK
}

// FLBPluginExit is called once per instance, without saying which.
//
//export FLBPluginExit
func FLBPluginExit() (ret C.int) {
	defer contain(&ret)
	instances.exit()
	return flb.FLB_OK
}

// FLBPluginUnregister frees what FLBPluginRegister allocated.
//
//export FLBPluginUnregister
func FLBPluginUnregister(def unsafe.Pointer) {
	var ret C.int
	defer contain(&ret)
	flb.FLBPluginUnregister(def)
}
