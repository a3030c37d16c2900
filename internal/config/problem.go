package config

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Problem is one thing that is wrong with, or doubtful about, one option.
type Problem struct {
	Option string // its name, as the user wrote it where it is unknown
	Value  string // what was given, quoted; "a value of N bytes" for a secret; may be empty
	Why    string // continues Value in a sentence
	Fix    string // what to write or do instead
}

// String returns one line: "option: value why; fix".
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.Option)
	b.WriteString(": ")
	if p.Value != "" {
		b.WriteString(p.Value)
		b.WriteByte(' ')
	}
	b.WriteString(p.Why)
	if p.Fix != "" {
		b.WriteString("; ")
		b.WriteString(p.Fix)
	}
	return b.String()
}

// Error is everything that is wrong with a configuration, at once.
type Error struct {
	Problems []Problem // at least one, in the order of [Options]
}

// Error returns a head line and one line per problem.
func (e *Error) Error() string {
	var b strings.Builder
	if n := len(e.Problems); n == 1 {
		b.WriteString("1 problem in the configuration:")
	} else {
		fmt.Fprintf(&b, "%d problems in the configuration:", n)
	}
	for _, p := range e.Problems {
		b.WriteString("\n  ")
		b.WriteString(p.String())
	}
	return b.String()
}

// maxShown bounds the runes of a value that a message repeats.
const maxShown = 120

// quote shows a value that is not secret, on one line and bounded.
func quote(v string) string {
	if utf8.RuneCountInString(v) > maxShown {
		return fmt.Sprintf("%q...", string([]rune(v)[:maxShown]))
	}
	return fmt.Sprintf("%q", v)
}

// conceal shows no more of a secret than its size.
func conceal(v string) string {
	if len(v) == 1 {
		return "a value of 1 byte"
	}
	return fmt.Sprintf("a value of %d bytes", len(v))
}
