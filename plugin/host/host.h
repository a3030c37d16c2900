// Fluent Bit's logger and the names of its instances and threads, found by name
// in the running process. Nothing here needs Fluent Bit's headers, and everything
// may be missing.
#ifndef ZITADEL_HOST_H
#define ZITADEL_HOST_H

// Looks up the functions for instances of one role, "input" or "output". Call it
// before anything else here.
void host_find(const char *role);

// Name of the instance, or NULL; the highest of Fluent Bit's log levels that it
// wants (1 error to 5 trace), or 0 where the host does not tell.
const char *host_name(void *instance);
int host_level(void *instance);

// Whether there is a logger, and one line for it.
int host_can_print(void);
void host_print(int level, const char *role, const char *name, const char *text);

// Copies the name of the thread that calls.
void host_thread(char name[16]);

#endif
