// A Fluent Bit in 400 lines: it loads in_zitadel.so or out_zitadel.so and drives
// its functions as src/flb_plugin_proxy.c, src/proxy/go/go.c and src/flb_reload.c do,
// one command per line of stdin, one answer per line of stdout.
//
// As it is, it is 5.1.1. With -DOLD it is a Fluent Bit before 4.1.0 that also
// exports nothing: no contexts, no append, no logger, no names.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define MAX_INSTANCES 4
#define MAX_PROPERTIES 32

// struct flb_plugin_proxy_def (flb_plugin_proxy.h)
struct def {
	int type, proxy, flags;
	char *name, *description;
	int event_type;
	void *config_map;
};

// struct flb_plugin_input_proxy_context (flb_plugin_proxy.h)
struct context {
	int coll_fd;
#ifndef OLD
	void *remote_context;
#endif
	void *proxy;
};

// the beginning of struct flb_input_instance (flb_input.h), then our own
struct instance {
	char event[48];
	void *processor;
	int flags, id;
	int log_level, log_suppress_interval, channel[2], runs_in_coroutine;
	char name[32];
	char *alias;
	int test_mode;
	void *context;
	int ch_events[2];
	void *p;
	char *tag;
	int tag_len;

	char *keys[MAX_PROPERTIES], *values[MAX_PROPERTIES];
	int properties;
	FILE *data, *tags;
	long taken, refused;
	char more[512];
};

// struct flb_api (flb_api.h)
struct api {
	const char *(*output_get_property)(const char *, struct instance *);
	const char *(*input_get_property)(const char *, struct instance *);
	void *(*output_get_cmt_instance)(void *);
	void *(*input_get_cmt_instance)(void *);
	void (*log_print)(int, const char *, int, const char *, ...);
	int (*input_log_check)(struct instance *, int);
	int (*output_log_check)(void *, int);
};

// struct flbgo_input_plugin (src/proxy/go/go.h)
struct plugin {
	char *name;
	struct api *api;
	struct instance *i_ins;
	struct context *context;
	int (*cb_init)(struct plugin *);
	int (*cb_collect)(void **, size_t *);
#ifndef OLD
	int (*cb_collect_ctx)(void *, void **, size_t *);
#endif
	int (*cb_cleanup)(void *);
#ifndef OLD
	int (*cb_cleanup_ctx)(void *, void *);
#endif
	int (*cb_exit)(void);
};

static struct instance instances[MAX_INSTANCES];
static int script[16], script_len, script_at; // what the next appends answer

static const char *get_property(const char *key, struct instance *ins)
{
	int i;

	for (i = 0; i < ins->properties; i++) {
		if (strcasecmp(ins->keys[i], key) == 0) {
			return ins->values[i];
		}
	}
	return NULL;
}

static void store(struct instance *ins, const char *tag, size_t tag_len, const void *buf, size_t size)
{
	fwrite(buf, 1, size, ins->data);
	fprintf(ins->tags, "%.*s\n", (int) tag_len, tag);
	fflush(ins->data);
	fflush(ins->tags);
}

#ifndef OLD
int flb_input_log_append(struct instance *ins, const char *tag, size_t tag_len, const void *buf, size_t size)
{
	int ret = script_len ? script[script_at++ % script_len] : 0;

	if (ret != 0) {
		ins->refused++;
		return ret;
	}
	ins->taken++;
	if (!tag) {
		tag = ins->tag;
		tag_len = ins->tag_len;
	}
	store(ins, tag, tag_len, buf, size);
	return 0;
}

const char *flb_input_name(struct instance *ins) { return ins->alias ? ins->alias : ins->name; }

int flb_input_log_check(struct instance *ins, int level) { return ins->log_level >= level; }

void flb_log_print(int type, const char *file, int line, const char *fmt, ...)
{
	static const char *names[] = {"off", "error", "warn", "info", "debug", "trace"};
	va_list args;

	(void) file;
	(void) line;
	fprintf(stderr, "host [%5s] ", names[type]);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}
#endif

static long rss(void)
{
	long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (fscanf(f, "%ld %ld", &size, &resident) != 2) {
		resident = -1;
	}
	fclose(f);
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static struct api api = {.input_get_property = get_property, .output_get_property = get_property};
static struct plugin plugin = {.name = "zitadel", .api = &api};
static void *dso;

static void *symbol(const char *name) { return dlsym(dso, name); }

// one collector event: flb_proxy_input_cb_collect
static int collect(struct instance *ins, size_t *size)
{
	struct context *ctx = ins->context;
	void *data = NULL;
	int ret;

	*size = 0;
#ifndef OLD
	if (plugin.cb_collect_ctx) {
		ret = plugin.cb_collect_ctx(ctx->remote_context, &data, size);
	} else
#endif
	{
		ret = plugin.cb_collect(&data, size);
	}
	if (*size == 0 || ret == -1) {
		return ret;
	}
	store(ins, ins->tag, ins->tag_len, data, *size);
#ifndef OLD
	if (plugin.cb_cleanup_ctx) {
		plugin.cb_cleanup_ctx(ctx->remote_context, data);
	} else
#endif
	if (plugin.cb_cleanup) {
		plugin.cb_cleanup(data);
	} else {
		free(data);
	}
	return ret;
}

static int init(struct instance *ins)
{
	struct context *ctx = calloc(1, sizeof *ctx);
	void *proxy = &plugin;
	int ret;

	ctx->proxy = proxy;
	ins->context = ctx;
	ins->p = &plugin;
	plugin.i_ins = ins;
	plugin.context = ctx;
	ret = plugin.cb_init(&plugin);
	if (ctx->proxy != proxy) {
		return -99; // somebody wrote where nothing is theirs
	}
	return ret;
}

#include "output.h"

static void reply(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

int main(void)
{
	char line[8192], key[256], value[4096];
	struct def *def = NULL, *before = NULL;
	struct instance *ins;
	size_t size;
	int i, n, ret, count, micros;
	long warm;
	char path[4096];

	for (i = 0; i < MAX_INSTANCES; i++) {
		ins = &instances[i];
		snprintf(ins->name, sizeof ins->name, "zitadel.%d", i);
		ins->tag = strdup(ins->name);
		ins->tag_len = strlen(ins->tag);
		ins->log_level = 3;
	}
	while (fgets(line, sizeof line, stdin)) {
		line[strcspn(line, "\n")] = 0;
		if (sscanf(line, "load %4095s", value) == 1) {
			dso = dlopen(value, RTLD_LAZY);
			reply("%s", dso ? "ok" : dlerror());
		} else if (strcmp(line, "register") == 0) {
			before = def;
			def = calloc(1, sizeof *def);
			ret = ((int (*)(struct def *)) symbol("FLBPluginRegister"))(def);
			output_register(def->type);
			plugin.cb_init = symbol("FLBPluginInit");
			plugin.cb_collect = symbol("FLBPluginInputCallback");
			plugin.cb_cleanup = symbol("FLBPluginInputCleanupCallback");
#ifndef OLD
			plugin.cb_collect_ctx = symbol("FLBPluginInputCallbackCtx");
			plugin.cb_cleanup_ctx = symbol("FLBPluginInputCleanupCallbackCtx");
#endif
			plugin.cb_exit = symbol("FLBPluginExit");
			reply("%d %d %d %s", ret, def->type, def->proxy, def->name);
		} else if (sscanf(line, "prop %d %255s %4095[^\n]", &n, key, value) == 3) {
			ins = &instances[n];
			ins->keys[ins->properties] = strdup(key);
			ins->values[ins->properties++] = strdup(value);
			reply("ok");
		} else if (sscanf(line, "tag %d %255s", &n, value) == 2) {
			instances[n].tag = strdup(value);
			instances[n].tag_len = strlen(value);
			reply("ok");
		} else if (sscanf(line, "alias %d %255s", &n, value) == 2) {
			instances[n].alias = strdup(value);
			reply("ok");
		} else if (sscanf(line, "level %d %d", &n, &ret) == 2) {
			instances[n].log_level = ret;
			reply("ok");
		} else if (sscanf(line, "files %d %4000s", &n, value) == 2) {
			snprintf(line, sizeof line, "%s.data", value);
			instances[n].data = fopen(line, "w");
			snprintf(line, sizeof line, "%s.tags", value);
			instances[n].tags = fopen(line, "w");
			reply(instances[n].data && instances[n].tags ? "ok" : "cannot open");
		} else if (sscanf(line, "init %d", &n) == 1) {
			reply("%d", is_output ? output_init(&instances[n]) : init(&instances[n]));
		} else if (strncmp(line, "script", 6) == 0) {
			char *rest = line + 6, *end;
			for (script_len = script_at = 0; script_len < 16; rest = end) {
				ret = strtol(rest, &end, 10);
				if (end == rest) {
					break;
				}
				script[script_len++] = ret;
			}
			reply("ok");
		} else if (sscanf(line, "collect %d", &n) == 1) {
			ret = collect(&instances[n], &size);
			reply("%d %zu %ld %ld", ret, size, instances[n].taken, instances[n].refused);
		} else if (sscanf(line, "cycles %d %d %d", &n, &count, &micros) == 3) {
			for (i = 0, warm = 0; i < count; i++) {
				collect(&instances[n], &size);
				usleep(micros);
				if (i == count / 4) {
					warm = rss();
				}
			}
			reply("%ld %ld", warm, rss());
		} else if (sscanf(line, "thread %255s", value) == 1) {
			prctl(PR_SET_NAME, value);
			reply("ok");
		} else if (sscanf(line, "flush %d %4095s %255s", &n, path, value) == 3) {
			reply("%d", flush(&instances[n], path, value));
		} else if (sscanf(line, "worker %d %4095s %255s", &n, path, value) == 3) {
			reply(start_worker(&instances[n], path, value) ? "ok" : "no more workers");
		} else if (sscanf(line, "mark %255s", value) == 1) {
			fprintf(stderr, "mark %s\n", value);
			reply("ok");
		} else if (strcmp(line, "memory") == 0) {
			reply("%ld", rss());
		} else if (strcmp(line, "join") == 0) {
			reply("%s", join_workers());
		} else if (sscanf(line, "exit %d", &n) == 1) {
			reply("%d", output_exit(&instances[n]));
		} else if (strcmp(line, "exit") == 0) {
			reply("%d", plugin.cb_exit());
		} else if (strcmp(line, "unregister") == 0) {
			((void (*)(struct def *)) symbol("FLBPluginUnregister"))(before ? before : def);
			reply("ok");
		} else {
			reply("unknown command: %s", line);
		}
	}
	return 0;
}
