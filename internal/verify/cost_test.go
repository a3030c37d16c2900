package verify

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// The copy is foreign: the time of a record is bounded by its size, whatever its shape. Without
// maxPath and maxMet, the first one costs the product of name and leaves, in time and memory.
func TestTheShapeOfAForeignRecordCostsNoMoreThanItsSize(t *testing.T) {
	s := newScene(t, 20, nil)
	at := 5
	id := s.lines[at]
	with := func(more string) string { return strings.Replace(id, `"payload":{`, `"payload":{`+more+`,`, 1) }
	const n = 60_000
	many := "[" + strings.Repeat("1,", n/2) + "1]"
	deep := strings.Repeat(`{"a":`, maxDepth-8) + `"` + strings.Repeat("x", n) + `"` + strings.Repeat("}", maxDepth-8)
	names := func() string {
		var b strings.Builder
		for i := range n / 10 {
			fmt.Fprintf(&b, `"k%d":"[REDACTED]",`, i)
		}
		return strings.TrimSuffix(b.String(), ",")
	}()
	if !strings.Contains(id, `"payload":{`) {
		t.Fatal("the line has no payload")
	}
	for name, line := range map[string]string{
		"a long name above many leaves":      with(`"` + strings.Repeat("k", n) + `":` + many),
		"the same in open fields":            `{"` + strings.Repeat("k", n) + `":` + many + `,` + id[1:],
		"deep nesting":                       with(`"x":` + deep),
		"deep lists":                         strings.Repeat("[", maxDepth-8) + `"` + strings.Repeat("x", n) + `"` + strings.Repeat("]", maxDepth-8) + "\n" + with(`"x":1`),
		"many redacted names":                with(names),
		"the id twenty times, each differs":  strings.Repeat(with(`"x":"`+strings.Repeat("x", n/20)+`"`)+"\n", 20),
		"quotes and backslashes in a string": with(`"x":"` + strings.Repeat(`\"\\`, n/4) + `"`),
	} {
		began := time.Now()
		r := s.run(t, strings.Join(s.lines[:at], "\n")+"\n"+line+"\n"+strings.Join(s.lines[at+1:], "\n"))
		if took := time.Since(began); took > time.Minute {
			t.Errorf("%s: %s for %d bytes", name, took, len(line))
		}
		if r.Missing.Count != 0 || name != "the same in open fields" && r.Verdict != Differs {
			t.Errorf("%s: %s, %d missing", name, r.Verdict, r.Missing.Count)
		}
	}
}
