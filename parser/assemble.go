package parser

import "bytes"

// Assembler joins the parts of lines that a container runtime split (CRI's P
// lines, Docker's JSON without a newline at its end; both at 16 KiB). Lines that
// were not split pass through as they are, and so does a line in no wrapping, or in another
// one than the parts that are held: a part that somebody forged takes no true line with it.
// Of what grows longer than [MaxLine] the beginning is given as it is then, and
// [Parser.Parse] marks it as cut.
//
// A line that is a whole record of the log store is no end of anything: no part
// of a record looks like one, since its quotes stand behind backslashes. The parts
// before it are those of a line without an end, or of another container.
type Assembler struct {
	parts [wrappings][2][]byte // of stdout and stderr
	whole []byte               // what was returned last
}

// NewAssembler returns an assembler for the lines of one container.
func NewAssembler() *Assembler { return &Assembler{} }

// Add takes the next line and returns a whole one, or false where more parts
// are to come. What it returns is valid until the next call.
func (a *Assembler) Add(line []byte) (whole []byte, ok bool) {
	t, in, partial := unwrap(trimEnd(line))
	if in == bare || len(line) > MaxLine { // no runtime writes such a part
		return line, true
	}
	stream := 0
	if isStderr(line) {
		stream = 1
	}
	held := &a.parts[in][stream]
	if !partial && (len(*held) == 0 || isRecord(t)) {
		return line, true
	}
	*held, _ = unescape(*held, t.b[t.i:], t.n, nil) // of one layer at most, which needs no room
	if partial && len(*held) <= MaxLine {
		return nil, false
	}
	return a.take(held), true
}

// Flush returns what is left of a line whose end has not come. Call it until
// it returns false.
func (a *Assembler) Flush() (rest []byte, ok bool) {
	for in := range a.parts {
		for stream := range a.parts[in] {
			if held := &a.parts[in][stream]; len(*held) > 0 {
				return a.take(held), true
			}
		}
	}
	return nil, false
}

// keptRoom is how much room is kept for the next line: ZITADEL's longest ones need less.
const keptRoom = 64 << 10

// take returns what is held, and leaves the room of what was returned before in its place.
func (a *Assembler) take(held *[]byte) []byte {
	if cap(a.whole) > keptRoom {
		a.whole = nil
	}
	a.whole, *held = *held, a.whole[:0]
	return a.whole
}

// isRecord reports whether t is a line of the log store from its beginning on.
func isRecord(t text) bool {
	if !at(t.b, t.i, "time=") && !at(t.b, t.i, "{") {
		return false
	}
	_, v := locate(t)
	return v == found
}

// isStderr tells the stream of a line that [unwrap] took out of its wrapping.
func isStderr(line []byte) bool {
	if line[0] == '{' { // Docker's JSON
		tail := line[max(0, len(line)-200):]
		return bytes.LastIndex(tail, []byte(`","stream":"stderr"`)) > bytes.LastIndex(tail, []byte(`","stream":"stdout"`))
	}
	head := line[:min(len(line), 48)]
	return bytes.Contains(head, []byte(" stderr "))
}
