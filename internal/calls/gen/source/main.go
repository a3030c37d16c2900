// Command source makes internal/calls/writes.txt out of ZITADEL's source: which method of
// its API can write which types of events.
//
//	go run ./internal/calls/gen/source [-o FILE] -types FILE -commit HASH DIRECTORY
//
// DIRECTORY is a checkout of ZITADEL, FILE the list of event types, one a line before a tab.
//
// It reads syntax, not types. From the implementation of a method it follows every name of a
// function that stands in the same package or in one that it imports, called or not. So it
// finds more than a method really does, and that is the safe side: an event has one call
// more to choose from, and no call is left out that may have written it.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

func main() {
	out := flag.String("o", "", "file to write; default: standard output")
	types := flag.String("types", "internal/zitadeltest/data/event_types.tsv", "list of event types")
	commit := flag.String("commit", "", "commit of the checkout, for the head of the file")
	flag.Parse()
	if err := run(flag.Arg(0), *types, *commit, *out); err != nil {
		fmt.Fprintln(os.Stderr, "source:", err)
		os.Exit(1)
	}
}

func run(dir, typesFile, commit, out string) error {
	text, err := os.ReadFile(typesFile)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		typ, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
		known[typ] = true
	}
	src, err := load(dir)
	if err != nil {
		return err
	}
	writes := src.writes(known)
	if out == "" {
		_, err = os.Stdout.Write(format(writes, commit))
		return err
	}
	return os.WriteFile(out, format(writes, commit), 0o644)
}

// format writes one line a method. What two types of a line have in common is not repeated.
func format(writes map[string][]string, commit string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Made by gen/source from ZITADEL at commit %s. One line a method: the types of events that it can write.\n", commit)
	b.WriteString("# +2.added begins with the first 2 parts of the type before it.\n")
	for _, m := range slices.Sorted(maps.Keys(writes)) {
		b.WriteString(m)
		previous := ""
		for _, t := range writes[m] {
			b.WriteByte(' ')
			b.WriteString(short(previous, t))
			previous = t
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// short leaves out the parts that t shares with the type before it: "+2.added" is the first
// two parts of that one, and then "added".
func short(previous, t string) string {
	a, b := strings.Split(previous, "."), strings.Split(t, ".")
	n := 0
	for n < len(a) && n < len(b)-1 && a[n] == b[n] {
		n++
	}
	if n == 0 {
		return t
	}
	return fmt.Sprintf("+%d.%s", n, strings.Join(b[n:], "."))
}
