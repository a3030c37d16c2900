package input

import "fmt"

// leastFiles is how many files Fluent Bit can need to have open while an output fails: a timer
// for each of its 2048 tasks (FLB_CONFIG_DEFAULT_TASK_MAP_SIZE), 128 chunks, and connections.
// If it cannot open a timer, it deletes the chunk (flb_engine.c, "could not be scheduled").
const leastFiles = 4096

// fewFiles returns what is wrong with so many, or nothing.
func fewFiles(n uint64) string {
	if n == 0 || n >= leastFiles {
		return ""
	}
	return fmt.Sprintf("this process may have %d files open: while an output fails for long, Fluent Bit runs out of them and deletes chunks: set the hard limit to %d or more (LimitNOFILE= of the unit, --ulimit nofile= of the container)", n, leastFiles)
}
