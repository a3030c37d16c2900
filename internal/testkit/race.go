//go:build race

package testkit

// Race says that the race detector is on. It makes code that only computes 10 to 30
// times slower, so that such tests then take a part of their cases; `make test` runs
// them without it too.
const Race = true
