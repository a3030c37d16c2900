// Package chaos holds a test that makes everything around the pipeline fail, for a
// bounded time and from a seed that it prints: it kills readers,
// Fluent Bit and the server with -9, stops them while their output is stuck,
// fills their disk, moves clocks by an hour, and stalls, resets and cuts their
// connections. Then it repairs everything and compares the ids at the far end
// with those that the server had committed: none may be lost, none may arrive
// that nobody wrote, and a crash must explain each one that arrived twice.
//
// Run it with `make chaos`. CHAOS_SEED repeats the decisions of a run, but not its
// timing. CHAOS_MINUTES makes it longer.
package chaos
