package output

import (
	"hash/maphash"

	"github.com/tinylib/msgp/msgp"

	"github.com/zitadel-siem/zitadel-siem/parser"
)

// maxFiles limits the files of one chunk whose lines are joined at the same time.
const maxFiles = 64

// parts joins lines that a container runtime split, within one chunk. The lines of several
// files may alternate. Parts are joined only with parts of the same file.
type parts struct {
	seed  maphash.Seed
	idle  *parser.Assembler // an empty one
	files map[uint64]*file
}

// file is a file with an incomplete line.
type file struct {
	assembler *parser.Assembler
	last      event // the event of the last part
}

func newParts() parts {
	return parts{seed: maphash.MakeSeed(), idle: parser.NewAssembler(), files: make(map[uint64]*file)}
}

// add takes the line of an event with these other fields. It returns a complete line, or
// false if more parts follow.
func (p *parts) add(line []byte, e event, others []field) (whole []byte, ok bool) {
	var id uint64
	if len(p.files) > 0 {
		id = p.fileOf(e, others)
		if f := p.files[id]; f != nil {
			if whole, ok = f.assembler.Add(line); !ok {
				f.last = e
			}
			return whole, ok
		}
	}
	if whole, ok = p.idle.Add(line); ok {
		return whole, true
	}
	if id == 0 {
		id = p.fileOf(e, others)
	}
	p.files[id] = &file{p.idle, e}
	p.idle = parser.NewAssembler()
	return nil, false
}

// full reports whether rests must be called before the next add.
func (p *parts) full() bool { return len(p.files) >= maxFiles }

// rests passes the incomplete lines to take, and forgets the files.
func (p *parts) rests(take func(line []byte, e event)) {
	for _, f := range p.files {
		for line, ok := f.assembler.Flush(); ok; line, ok = f.assembler.Flush() {
			take(line, f.last)
		}
	}
	clear(p.files)
}

// fileOf identifies a file by the other fields of its events, such as the path or the
// container. Numbers are not used, because some differ from line to line (an offset).
func (p *parts) fileOf(e event, others []field) uint64 {
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
