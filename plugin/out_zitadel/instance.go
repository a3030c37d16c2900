package main

/*
#include <stdint.h>

// struct flbgo_output_plugin of src/proxy/go/go.h, and struct
// flb_plugin_proxy_context of flb_plugin_proxy.h, as far as they are needed.
struct host_plugin {
	char *name;
	void *api;
	void *instance;
	struct host_context {
		void *remote_context;
		void *proxy;
	} *context;
};

static void set_context(struct host_plugin *plugin, uintptr_t id)
{
	plugin->context->remote_context = (void *) id;
}
*/
import "C"

import (
	"sync"
	"unsafe"

	flb "github.com/fluent/fluent-bit-go/output"

	"github.com/zitadel-siem/zitadel-siem/internal/output"
	"github.com/zitadel-siem/zitadel-siem/plugin/host"
)

// registry holds the live instances by the number that the host keeps for us.
type registry struct {
	mu   sync.Mutex
	last uintptr
	live map[uintptr]*output.Output
}

var instances = registry{live: make(map[uintptr]*output.Output)}

// start opens an instance. If it fails, the errors are in the host's log. All properties are read
// here, because later the host would return those of another instance.
func (r *registry) start(p unsafe.Pointer) bool {
	plugin := (*C.struct_host_plugin)(p)
	get := func(key string) string { return flb.FLBPluginConfigKey(p, key) } // "" for NULL
	o, err := output.Open(get, host.Log(host.Output, plugin.instance))
	if err != nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	r.live[r.last] = o
	C.set_context(plugin, C.uintptr_t(r.last))
	return true
}

func (r *registry) get(id uintptr) *output.Output {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.live[id]
}

func (r *registry) oldest() *output.Output { return r.get(r.oldestID()) }

// oldestID is 0 if there is no instance. No instance has the id 0.
func (r *registry) oldestID() (oldest uintptr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range r.live {
		if oldest == 0 || id < oldest {
			oldest = id
		}
	}
	return oldest
}

func (r *registry) stopOldest() { r.stop(r.oldestID()) }

func (r *registry) stop(id uintptr) {
	r.mu.Lock()
	o := r.live[id]
	delete(r.live, id)
	r.mu.Unlock()
	if o != nil {
		o.Stop()
	}
}
