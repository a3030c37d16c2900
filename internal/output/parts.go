package output

import (
	"hash/maphash"

	"github.com/tinylib/msgp/msgp"

	"github.com/zitadel-siem/zitadel-siem/parser"
)

// maxSources bounds the files of one chunk whose lines are joined at a time.
const maxSources = 64

// parts joins lines that a container runtime split, within one chunk. Lines of
// several files may come in turns: what one container prints must not become
// the beginning of another one's line.
type parts struct {
	seed    maphash.Seed
	idle    *parser.Assembler // holds nothing
	sources map[uint64]*source
}

// source is a file with a line that was split.
type source struct {
	assembler *parser.Assembler
	last      event // the last one whose line is not whole
}

func newParts() parts {
	return parts{seed: maphash.MakeSeed(), idle: parser.NewAssembler(), sources: make(map[uint64]*source)}
}

// add takes the line of an event with these other fields, and returns a whole
// line, or false where more is to come.
func (p *parts) add(line []byte, e event, others []field) (whole []byte, ok bool) {
	var id uint64
	if len(p.sources) > 0 {
		id = p.sourceOf(e, others)
		if s := p.sources[id]; s != nil {
			if whole, ok = s.assembler.Add(line); !ok {
				s.last = e
			}
			return whole, ok
		}
	}
	if whole, ok = p.idle.Add(line); ok {
		return whole, true
	}
	if id == 0 {
		id = p.sourceOf(e, others)
	}
	p.sources[id] = &source{p.idle, e}
	p.idle = parser.NewAssembler()
	return nil, false
}

// full says that the rests have to be taken before anything is added.
func (p *parts) full() bool { return len(p.sources) >= maxSources }

// rests gives what is left of lines whose end has not come, and forgets the
// sources.
func (p *parts) rests(take func(line []byte, e event)) {
	for _, s := range p.sources {
		for line, ok := s.assembler.Flush(); ok; line, ok = s.assembler.Flush() {
			take(line, s.last)
		}
	}
	clear(p.sources)
}

// sourceOf tells files apart by what stands beside the line: the path, or the
// container. Numbers differ from line to line, such as an offset.
func (p *parts) sourceOf(e event, others []field) uint64 {
	var h maphash.Hash
	h.SetSeed(p.seed)
	h.Write(e.groupMetadata)
	h.Write(e.groupBody)
	for _, f := range others {
		if t := msgp.NextType(f.value); t == msgp.StrType || t == msgp.BinType || t == msgp.MapType {
			h.Write(f.key)
			h.Write(f.value)
		}
	}
	return h.Sum64() | 1 // never 0
}
