package parser

import "bytes"

// Assembler joins the parts of lines that a container runtime split (CRI's P
// lines, Docker's JSON without a newline at its end; both at 16 KiB). Complete lines pass
// through unchanged. So do lines without a wrapping, and lines in another wrapping than the
// parts that are held, so that a forged part cannot swallow a real line. A line that
// becomes longer than [MaxLine] is returned early; [Parser.Parse] marks it as cut.
//
// A line that is a complete record of the log store never continues a part: in a real
// continuation, the quotes have backslashes. The parts before it belong to a line without
// an end, or to another container.
type Assembler struct {
	parts [wrappings][2][]byte // of stdout and stderr
	whole []byte               // the line that was returned last
}

// NewAssembler returns an assembler for the lines of one container.
func NewAssembler() *Assembler { return &Assembler{} }

// Add takes the next line and returns a complete one, or false if more parts follow. The
// result is valid until the next call.
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
	*held, _ = unescape(*held, t.b[t.i:], t.n, nil) // at most one layer, which needs no buffer
	if partial && len(*held) <= MaxLine {
		return nil, false
	}
	return a.take(held), true
}

// Flush returns an incomplete line. Call it until it returns false.
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

// maxKept limits the buffer that is kept for the next line. ZITADEL's longest lines need
// less.
const maxKept = 64 << 10

// take returns the held line, and reuses the buffer of the line before.
func (a *Assembler) take(held *[]byte) []byte {
	if cap(a.whole) > maxKept {
		a.whole = nil
	}
	a.whole, *held = *held, a.whole[:0]
	return a.whole
}

// isRecord reports whether t is a complete line of the log store.
func isRecord(t text) bool {
	if !at(t.b, t.i, "time=") && !at(t.b, t.i, "{") {
		return false
	}
	_, v := locate(t)
	return v == found
}

// isStderr reports whether a line with a wrapping is of the stream stderr.
func isStderr(line []byte) bool {
	if line[0] == '{' { // Docker's JSON
		tail := line[max(0, len(line)-200):]
		return bytes.LastIndex(tail, []byte(`","stream":"stderr"`)) > bytes.LastIndex(tail, []byte(`","stream":"stdout"`))
	}
	head := line[:min(len(line), 48)]
	return bytes.Contains(head, []byte(" stderr "))
}
