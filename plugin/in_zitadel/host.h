// What Fluent Bit lets a Go input reach, beyond fluent-bit-go and plugin/host:
// its own append and instance, found by name in the running process. Nothing here needs
// Fluent Bit's headers, and everything may be missing.
#ifndef IN_ZITADEL_HOST_H
#define IN_ZITADEL_HOST_H

#include <stddef.h>
#include <stdint.h>

// struct flbgo_input_plugin of src/proxy/go/go.h. Before 4.1.0 there were no
// Ctx slots: cb_collect_ctx then is cb_cleanup. fluent-bit-go's declaration
// ends at context.
struct host_plugin {
	char *name;
	void *api;
	void *instance;
	struct host_context *context;
	void *cb_init;
	void *cb_collect;
	void *cb_collect_ctx;
};

// struct flb_plugin_input_proxy_context of flb_plugin_proxy.h. fluent-bit-go
// declares the one of outputs, in which remote_context comes first. Before
// 4.1.0 there was no remote_context, and proxy stood in its place.
struct host_context {
	int coll_fd;
	void *remote_context;
	void *proxy;
};

// Looks the host's append up. Call it before anything else here.
void host_find_append(void);

// Whether the host has an append of its own, and one call of it: 0 when the
// host has the bytes, -1 when it has not. An empty tag is the instance's own.
int host_can_append(void);
int host_append(void *instance, const char *tag, size_t tag_len, const void *data, size_t size);

// Whether the host calls FLBPluginInputCallbackCtx, with the id that was set.
// A host that does not has no place for one.
int host_knows_contexts(struct host_plugin *plugin);
void host_set_context(struct host_plugin *plugin, uintptr_t id);

// Copies the instance's tag, NUL-terminated, and returns its length, or 0 where
// it cannot be found for certain (before 4.0). name is the host's own string.
size_t host_tag(struct host_plugin *plugin, const char *name, char *out, size_t size);

#endif
