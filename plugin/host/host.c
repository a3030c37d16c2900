#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "host.h"

static struct {
	const char *(*name)(void *);
	int (*log_check)(void *, int);
	void (*log_print)(int, const char *, int, const char *, ...);
} host;

void host_find(const char *role)
{
	char symbol[64];

	snprintf(symbol, sizeof symbol, "flb_%s_name", role);
	host.name = dlsym(RTLD_DEFAULT, symbol);
	snprintf(symbol, sizeof symbol, "flb_%s_log_check", role);
	host.log_check = dlsym(RTLD_DEFAULT, symbol);
	host.log_print = dlsym(RTLD_DEFAULT, "flb_log_print");
}

const char *host_name(void *instance)
{
	return host.name ? host.name(instance) : NULL;
}

int host_level(void *instance)
{
	int level;

	if (!host.log_check) {
		return 0;
	}
	for (level = 5; level > 1; level--) {
		if (host.log_check(instance, level)) {
			break;
		}
	}
	return level;
}

int host_can_print(void) { return host.log_print != NULL; }

void host_print(int level, const char *role, const char *name, const char *text)
{
	host.log_print(level, NULL, 0, "[%s:zitadel:%s] %s", role, name, text);
}

void host_thread(char name[16])
{
	name[0] = 0;
	prctl(PR_GET_NAME, name);
}
