// What host.c does with an output: src/proxy/go/go.c, flb_output.c, flb_output_thread.c.
#include <pthread.h>

#define MAX_WORKERS 16

// struct flb_plugin_proxy_context (flb_plugin_proxy.h)
struct output_context {
	void *remote_context;
	void *proxy;
};

// struct flbgo_output_plugin (src/proxy/go/go.h)
static struct output {
	char *name;
	struct api *api;
	struct instance *o_ins;
	struct output_context *context;
	int (*cb_init)(struct output *);
	int (*cb_flush)(const void *, size_t, const char *);
	int (*cb_flush_ctx)(void *, const void *, size_t, char *);
	int (*cb_exit)(void);
	int (*cb_exit_ctx)(void *);
} output = {.name = "zitadel", .api = &api};

static int is_output;

#ifndef OLD
const char *flb_output_name(struct instance *ins) { return ins->alias ? ins->alias : ins->name; }

int flb_output_log_check(struct instance *ins, int level) { return ins->log_level >= level; }
#endif

static void output_register(int type)
{
	is_output = type == 2;
	output.cb_init = symbol("FLBPluginInit");
	output.cb_flush = symbol("FLBPluginFlush");
	output.cb_exit = symbol("FLBPluginExit");
#ifndef OLD
	output.cb_flush_ctx = symbol("FLBPluginFlushCtx");
	output.cb_exit_ctx = symbol("FLBPluginExitCtx");
#endif
}

static int output_init(struct instance *ins)
{
	struct output_context *ctx = calloc(1, sizeof *ctx);
	int ret;

	ctx->proxy = &output;
	ins->context = ctx;
	output.o_ins = ins;
	output.context = ctx;
	ret = output.cb_init(&output);
	return ctx->proxy == &output ? ret : -99;
}

// Gives the plugin the contents of a file as a chunk, in memory of its own.
static int flush(struct instance *ins, const char *path, const char *tag)
{
	struct output_context *ctx = ins->context;
	char *copy = strdup(tag), *data;
	FILE *f = fopen(path, "r");
	size_t size;
	int ret;

	if (!f) {
		return -98;
	}
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	rewind(f);
	data = malloc(size + 1);
	size = fread(data, 1, size, f);
	fclose(f);
	if (output.cb_flush_ctx) {
		ret = output.cb_flush_ctx(ctx->remote_context, data, size, copy);
	} else {
		ret = output.cb_flush(data, size, copy);
	}
	memset(data, 'x', size); // it is not the plugin's any more
	free(data);
	free(copy);
	return ret;
}

// Worker threads, each with one flush.
static struct worker {
	pthread_t thread;
	struct instance *ins;
	char path[4096], tag[4096];
	int ret, joined;
} workers[MAX_WORKERS];
static int worker_count;

static void *work(void *arg)
{
	struct worker *w = arg;
	char name[64];

	snprintf(name, sizeof name, "flb-out-%s-w%d", w->ins->name, (int) (w - workers));
	name[15] = 0; // as the kernel cuts it
	prctl(PR_SET_NAME, name);
	w->ret = flush(w->ins, w->path, w->tag);
	return NULL;
}

static int start_worker(struct instance *ins, const char *path, const char *tag)
{
	struct worker *w = &workers[worker_count];

	if (worker_count == MAX_WORKERS) {
		return 0;
	}
	w->ins = ins;
	snprintf(w->path, sizeof w->path, "%s", path);
	snprintf(w->tag, sizeof w->tag, "%s", tag);
	w->joined = 0;
	worker_count++;
	return pthread_create(&w->thread, NULL, work, w) == 0;
}

static void wait_for_workers(struct instance *ins)
{
	int i;

	for (i = 0; i < worker_count; i++) {
		if ((!ins || workers[i].ins == ins) && !workers[i].joined) {
			pthread_join(workers[i].thread, NULL);
			workers[i].joined = 1;
		}
	}
}

// As flb_output_exit does: the workers end first.
static int output_exit(struct instance *ins)
{
	struct output_context *ctx = ins->context;

	wait_for_workers(ins);
	if (output.cb_exit_ctx) {
		return output.cb_exit_ctx(ctx->remote_context);
	}
	return output.cb_exit();
}

// Answers what each flush returned, in the order of their start.
static const char *join_workers(void)
{
	static char answers[MAX_WORKERS * 4 + 1];
	size_t used = 0;
	int i;

	wait_for_workers(NULL);
	answers[0] = 0;
	for (i = 0; i < worker_count; i++) {
		used += snprintf(answers + used, sizeof answers - used, "%s%d", i ? " " : "", workers[i].ret);
	}
	worker_count = 0;
	return answers;
}
