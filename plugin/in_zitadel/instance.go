package main

/*
#include <stdlib.h>
#include "host.h"
*/
import "C"

import (
	"strings"
	"sync"
	"unsafe"

	flb "github.com/fluent/fluent-bit-go/input"

	"github.com/zitadel-siem/zitadel-siem/internal/input"
	"github.com/zitadel-siem/zitadel-siem/plugin/host"
)

// instance is one `name: zitadel` of the host's configuration.
type instance struct {
	input      *input.Input
	host       unsafe.Pointer // struct flb_input_instance
	generation int
}

// registry holds the live instances by the number that the host keeps for us.
type registry struct {
	mu         sync.Mutex
	generation int // loads of the configuration
	last       uintptr
	live       map[uintptr]*instance
	exits      map[int]int // expected calls of FLBPluginExit, by generation
}

var instances = registry{live: make(map[uintptr]*instance), exits: make(map[int]int)}

func (r *registry) register() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.generation++
}

func (r *registry) get(id uintptr) *instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.live[id]
}

// only returns the instance of a host that supports only one.
func (r *registry) only() *instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, i := range r.live {
		if i.generation == r.generation || len(r.live) == 1 {
			return i
		}
	}
	return nil
}

// start opens an instance. If it fails, the errors are in the host's log. All properties are read
// here, because later the host would return those of another instance.
func (r *registry) start(p unsafe.Pointer) bool {
	plugin := (*C.struct_host_plugin)(p)
	about := describe(plugin)

	r.mu.Lock()
	about.Generation = r.generation
	second := r.exits[r.generation] > 0
	r.mu.Unlock()
	contexts := C.host_knows_contexts(plugin) != 0
	if second && !contexts {
		input.Refuse(about, "this Fluent Bit cannot tell two zitadel inputs apart: use version 4.1.0 or later, or a process for each")
		return false
	}
	in, err := input.Open(func(key string) string { return property(p, key) }, about)
	if err != nil {
		return false
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	r.live[r.last] = &instance{input: in, host: plugin.instance, generation: about.Generation}
	r.exits[about.Generation]++
	if contexts {
		C.host_set_context(plugin, C.uintptr_t(r.last))
	}
	return true
}

// exit stops the instances of the oldest load. The host calls it once for each, but does not say
// for which one. So the first call stops all of them.
func (r *registry) exit() {
	r.mu.Lock()
	oldest := 0
	for generation := range r.exits {
		if oldest == 0 || generation < oldest {
			oldest = generation
		}
	}
	if r.exits[oldest]--; r.exits[oldest] <= 0 {
		delete(r.exits, oldest)
	}
	var stopping []*input.Input
	for id, i := range r.live {
		if i.generation == oldest {
			stopping = append(stopping, i.input)
			delete(r.live, id)
		}
	}
	r.mu.Unlock()
	input.Stop(stopping...)
}

// property reads an option, "" when it is not set. fluent-bit-go's accessor
// turns NULL into "" as well.
func property(plugin unsafe.Pointer, key string) string {
	return flb.FLBPluginConfigKey(plugin, key)
}

func describe(plugin *C.struct_host_plugin) input.Host {
	h := input.Host{Host: host.Log(host.Input, plugin.instance)}
	h.Tag = func() string {
		var tag [1024]C.char
		n := C.host_tag(plugin, (*C.char)(host.Name(plugin.instance)), &tag[0], C.size_t(len(tag)))
		return C.GoStringN(&tag[0], C.int(n))
	}
	return h
}

// onInputThread reports whether this is a thread of an input, and not that of the engine.
// Fluent Bit names them flb-in-<instance>-w<n> (src/flb_input_thread.c).
func onInputThread() bool { return strings.HasPrefix(host.Thread(), "flb-in-") }

// collect hands over the ready records. It returns bytes, allocated in C, only for a host without
// flb_input_log_append.
func (i *instance) collect() (unsafe.Pointer, C.size_t) {
	if C.host_can_append() != 0 {
		i.input.Collect(onInputThread(), i.append)
		return nil, 0
	}
	data := i.input.Next()
	if len(data) == 0 {
		return nil, 0
	}
	return C.CBytes(data), C.size_t(len(data))
}

// append reports whether the host has the bytes. It copies them.
func (i *instance) append(tag string, data []byte, _ int) bool {
	t := append([]byte(tag), 0) // some of the host's log lines print it
	return C.host_append(i.host, (*C.char)(unsafe.Pointer(&t[0])), C.size_t(len(tag)), unsafe.Pointer(&data[0]), C.size_t(len(data))) == 0
}
