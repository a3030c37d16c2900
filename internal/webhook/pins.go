package webhook

import "sync"

// pins hold the instance of each target: the first one that a valid request named.
//
// Records carry the label of one instance, and their ids belong to it. Without the
// pins, events of another instance, which were sent to a target by mistake or by its
// owner, would be taken for events of this one. Only the sender names the instance:
// no payload but a JWT is signed by the instance, and the Events API does not name
// it. So the first instance is trusted. That is ZITADEL, unless somebody else knew
// the key before.
//
// Pins are not stored. A restart is enough to move a target to another instance, and
// somebody with the key cannot keep ZITADEL out forever.
type pins struct {
	mu sync.Mutex
	of map[string]string // by target; there are as many as key files
}

// fits reports whether the instance is the target's, and pins a new target. A payload
// that names no instance fits: that of a function has none.
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
