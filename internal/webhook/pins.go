package webhook

import "sync"

// pins hold the instance of each target: the first one that a good request named. Records carry the label of
// one instance, and ids are those of one, so that another instance's events, sent to a target by mistake or by
// its owner, would pass for this one's. Which instance is the right one nobody but the sender tells here
// (no payload is signed by the instance but JWT, and the Events API does not name it); so
// the first one counts, which is ZITADEL unless the key was known to somebody else before. It is not kept: who
// moves a target to another instance starts anew, and whoever has the key could else
// keep ZITADEL out for ever.
type pins struct {
	mu sync.Mutex
	of map[string]string // by target, as many as there are key files
}

// fits pins a target that is not yet. A payload that names no instance fits: a function's has none.
func (p *pins) fits(target, instance string) bool {
	if instance == "" {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == nil {
		p.of = make(map[string]string)
	}
	first, ok := p.of[target]
	if !ok {
		p.of[target] = instance
	}
	return !ok || first == instance
}
