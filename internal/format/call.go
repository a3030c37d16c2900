package format

import (
	"github.com/zitadel-siem/zitadel-siem/internal/calls"
	"github.com/zitadel-siem/zitadel-siem/internal/pseudonym"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/schema"
)

// Join makes encoders take the client address of an event from the API call that wrote it,
// where neither the event nor its session has one.
func (f *Format) Join(c *calls.Store) { f.calls.Store(c) }

// Calls is what was joined; nil without [Format.Join].
func (f *Format) Calls() *calls.Store { return f.calls.Load() }

// completeAddress takes the address of the call of r. It comes last: what the event or its
// session says is nearer.
func (e *Encoder) completeAddress(s *calls.Store, r *record.Event) {
	a := &e.activity
	if a.HasAddress() || r.AggregateType == "webhook" { // a call itself
		return
	}
	ip, verdict := s.Find(r.Editor.ID, r.Type, r.Time, r.Read)
	switch {
	case verdict == calls.Ambiguous:
		a.IPSource = schema.IPAmbiguous
	case verdict != calls.Found:
	case e.tokens != nil:
		a.Address, a.IPSource = e.tokens.Token(pseudonym.IP, ip.String()), schema.IPCall
	default:
		a.IP, a.IPSource = ip, schema.IPCall
	}
}
