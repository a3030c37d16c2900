// Command out_zitadel is the Fluent Bit output plugin "zitadel", built with
// -buildmode=c-shared. It holds the functions that Fluent Bit calls and nothing
// else: package internal/output does the work.
package main

/*
#include <stdint.h>
#include <stddef.h>
*/
import "C"

import (
	"fmt"
	"os"
	"unsafe"

	flb "github.com/fluent/fluent-bit-go/output"

	"github.com/zitadel-siem/zitadel-siem/internal/fault"
	"github.com/zitadel-siem/zitadel-siem/internal/output"
	"github.com/zitadel-siem/zitadel-siem/plugin/host"
)

const (
	name        = "zitadel"
	description = "Parses the log lines of ZITADEL's actions and forwards the records"
)

func main() {}

// contain keeps a panic from ending Fluent Bit. answer is what the host gets
// then.
func contain(ret *C.int, answer C.int) {
	if v := recover(); v != nil {
		e := fault.Of(v)
		fmt.Fprintf(os.Stderr, "[output:zitadel] %v\n%s", e, e.Stack)
		*ret = answer
	}
}

// FLBPluginRegister is called once per load of the configuration; on a reload
// before the old instances exit.
//
//export FLBPluginRegister
func FLBPluginRegister(def unsafe.Pointer) (ret C.int) {
	defer contain(&ret, flb.FLB_ERROR)
	host.Find(host.Output)
	return C.int(flb.FLBPluginRegister(def, name, description))
}

// FLBPluginInit starts one instance.
//
//export FLBPluginInit
func FLBPluginInit(plugin unsafe.Pointer) (ret C.int) {
	defer contain(&ret, flb.FLB_ERROR)
	if !instances.start(plugin) {
		return flb.FLB_ERROR
	}
	return flb.FLB_OK
}

// FLBPluginFlushCtx takes one chunk. With several workers it is called on all of
// them at once.
//
//export FLBPluginFlushCtx
func FLBPluginFlushCtx(ctx C.uintptr_t, data unsafe.Pointer, size C.size_t, tag *C.char) (ret C.int) {
	defer contain(&ret, flb.FLB_RETRY)
	return flush(instances.get(uintptr(ctx)), data, size, tag)
}

// FLBPluginFlush is for a host without contexts, which has one instance.
//
//export FLBPluginFlush
func FLBPluginFlush(data unsafe.Pointer, size C.size_t, tag *C.char) (ret C.int) {
	defer contain(&ret, flb.FLB_RETRY)
	return flush(instances.oldest(), data, size, tag)
}

func flush(o *output.Output, data unsafe.Pointer, size C.size_t, tag *C.char) C.int {
	if o == nil {
		return flb.FLB_RETRY
	}
	chunk := unsafe.Slice((*byte)(data), int(size)) // the host's until we return
	switch o.Flush(host.Thread() == engineThread, C.GoString(tag), chunk) {
	case output.OK:
		return flb.FLB_OK
	case output.Error:
		return flb.FLB_ERROR
	}
	return flb.FLB_RETRY
}

// engineThread is the name of the engine's thread (src/flb_lib.c); workers are
// named flb-out-<instance>-w<n> (src/flb_output_thread.c).
const engineThread = "flb-pipeline"

// FLBPluginExitCtx ends one instance.
//
//export FLBPluginExitCtx
func FLBPluginExitCtx(ctx C.uintptr_t) (ret C.int) {
	defer contain(&ret, flb.FLB_ERROR)
	instances.stop(uintptr(ctx))
	return flb.FLB_OK
}

// FLBPluginExit is for a host that does not say which instance ends. They end in
// the order in which they began.
//
//export FLBPluginExit
func FLBPluginExit() (ret C.int) {
	defer contain(&ret, flb.FLB_ERROR)
	instances.stopOldest()
	return flb.FLB_OK
}

// FLBPluginUnregister frees what FLBPluginRegister allocated.
//
//export FLBPluginUnregister
func FLBPluginUnregister(def unsafe.Pointer) {
	var ret C.int
	defer contain(&ret, flb.FLB_ERROR)
	flb.FLBPluginUnregister(def)
}
