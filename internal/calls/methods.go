package calls

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

//go:generate go run ./gen/methods

//go:embed methods.txt
var methodsText string

//go:embed writes.txt
var writesText string

// Methods returns the full names of the methods that change something, such as
// /zitadel.user.v2.UserService/AddHumanUser, in their order.
func Methods() (list []string) {
	for line := range strings.Lines(methodsText) {
		if !strings.HasPrefix(line, "#") {
			list = append(list, strings.TrimSpace(line))
		}
	}
	return list
}

// readingVerbs begin the names of methods that only read.
var readingVerbs = []string{"Get", "List", "Search", "Is", "Healthz", "Health", "Count", "BulkGet", "Check", "Watch", "Export", "Resolve", "Exists"}

// Reading reports whether a method only reads, by its name: full, or without the service.
func Reading(method string) bool {
	name := method[strings.LastIndexByte(method, '/')+1:]
	for _, verb := range readingVerbs {
		rest, ok := strings.CutPrefix(name, verb)
		if ok && (rest == "" || rest[0] < 'a' || rest[0] > 'z') { // Is, but not Issue
			return true
		}
	}
	return false
}

// methodSet is a set of methods by their number.
type methodSet []uint64

func (s methodSet) has(m uint16) bool { return s[m/64]&(1<<(m%64)) != 0 }

// unknownMethod is the number of a method that the table does not know. It may write
// anything.
const unknownMethod = 0

// writers says which methods can write an event.
type writers struct {
	numbers map[string]uint16
	byType  map[string]methodSet
}

// table reads writes.txt once.
var table = sync.OnceValue(func() *writers {
	w, err := parseWrites(writesText)
	if err != nil {
		panic("calls: writes.txt: " + err.Error()) // a test reads it
	}
	return w
})

func parseWrites(text string) (*writers, error) {
	w := &writers{numbers: map[string]uint16{}, byType: map[string]methodSet{}}
	words := strings.Count(text, "\n")/64 + 1
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		number := uint16(len(w.numbers) + 1)
		w.numbers[fields[0]] = number
		previous := ""
		for _, f := range fields[1:] {
			typ, err := long(previous, f)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", fields[0], err)
			}
			set := w.byType[typ]
			if set == nil {
				set = make(methodSet, words)
				set[0] = 1 << unknownMethod
				w.byType[typ] = set
			}
			set[number/64] |= 1 << (number % 64)
			previous = typ
		}
	}
	return w, nil
}

// long puts the parts back that the file leaves out: "+2.added" begins with the first two
// parts of the type before it.
func long(previous, f string) (string, error) {
	short, isShort := strings.CutPrefix(f, "+")
	if !isShort {
		return f, nil
	}
	count, rest, _ := strings.Cut(short, ".")
	n, err := strconv.Atoi(count)
	parts := strings.Split(previous, ".")
	if err != nil || n < 1 || n > len(parts) {
		return "", fmt.Errorf("%q after %q", f, previous)
	}
	return strings.Join(append(parts[:n:n], rest), "."), nil
}

// CanWrite reports whether a method can write an event of a type, by the table.
func CanWrite(method, eventType string) bool {
	w := table()
	number, known := w.numbers[method]
	set, ok := w.byType[eventType]
	return known && ok && set.has(number)
}
