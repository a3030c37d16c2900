// Package chaos holds a test that does to the whole pipeline what the world
// does, for a bounded time and from a seed that it prints: it kills readers,
// Fluent Bit and the server with -9, stops them while their output is stuck,
// fills their disk, moves clocks by an hour, and stalls, resets and cuts their
// connections. Then it heals everything and compares the ids at the far end
// with those that the server had committed: none may be lost, none may come
// that nobody wrote, and those that came twice must be accounted for by the
// crashes.
//
// Run it with `make chaos`. CHAOS_SEED repeats the decisions of a run (not its
// timing), CHAOS_MINUTES makes it longer.
package chaos
