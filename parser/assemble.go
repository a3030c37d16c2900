package parser

import "bytes"

// Assembler joins the parts of lines that a container runtime split (CRI's P
// lines, Docker's JSON without a newline at its end; both at 16 KiB). Lines that
// were not split pass through as they are. What grows longer than [MaxLine] is given
// as it is then, and [Parser.Parse] marks it as cut.
//
// A line that is a whole record of the log store is no end of anything: no part
// of a record looks like one, since its quotes stand behind backslashes. The parts
// before it are those of a line without an end, or of another container.
type Assembler struct {
	parts [2][]byte // of stdout and stderr
	room  []byte
	tmp   []byte
}

// NewAssembler returns an assembler for the lines of one container.
func NewAssembler() *Assembler { return &Assembler{} }

// Add takes the next line and returns a whole one, or false where more parts
// are to come. What it returns is valid until the next call.
func (a *Assembler) Add(line []byte) (whole []byte, ok bool) {
	t, partial := unwrap(trimEnd(line))
	stream := 0
	if len(t.b) < len(line) && isStderr(line) {
		stream = 1
	}
	held := a.parts[stream]
	if !partial && (len(held) == 0 || isRecord(t)) {
		return line, true
	}
	held, a.tmp = unescape(held, t.b[t.i:], t.n, a.tmp)
	if partial && len(held) <= MaxLine {
		a.parts[stream] = held
		return nil, false
	}
	a.parts[stream] = held[:0]
	a.room = append(a.room[:0], held...)
	return a.room, true
}

// Flush returns what is left of a line whose end has not come. Call it until
// it returns false.
func (a *Assembler) Flush() (rest []byte, ok bool) {
	for i, held := range a.parts {
		if len(held) > 0 {
			a.parts[i] = held[:0]
			a.room = append(a.room[:0], held...)
			return a.room, true
		}
	}
	return nil, false
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
