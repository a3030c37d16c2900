package input

// leastFiles is how many files Fluent Bit can need to have open while an output fails: a timer
// for each of its 2048 tasks (FLB_CONFIG_DEFAULT_TASK_MAP_SIZE), 128 chunks, and connections.
// If it cannot open a timer, it deletes the chunk (flb_engine.c, "could not be scheduled").
const leastFiles = 4096

// fewFiles reports whether n files are too few.
func fewFiles(n uint64) bool { return n > 0 && n < leastFiles }
