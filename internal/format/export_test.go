package format

import (
	"log/slog"
	"net/netip"
	"slices"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/schema"
)

// BrokenNames panics at each use.
func BrokenNames(log *slog.Logger) *Names { return &Names{log: log} }

// Filled is what names filled in the activity of one event.
type Filled struct {
	texts    []filledText
	ip       netip.Addr
	from     schema.IPSource
	kinds    [2]schema.UserKind
	allRoles []string
}

type filledText struct {
	field int
	text  string
}

const fieldCount = 22

// fields are the texts of an activity that names can fill.
func fields(a *schema.Activity) [fieldCount]*string {
	return [...]*string{
		&a.User.ID, &a.User.Name, &a.User.Email, &a.User.FullName, &a.User.Org,
		&a.Actor.ID, &a.Actor.Name, &a.Actor.Email, &a.Actor.FullName, &a.Actor.Org,
		&a.UserAgent, &a.Agent, &a.Session, &a.Client, &a.Application.ID, &a.Application.Name,
		&a.Project.ID, &a.Project.Name, &a.Organization.Name, &a.IDP.ID, &a.IDP.Name, &a.Entity.Name,
	}
}

// Filled returns what names fill for an event.
func (e *Encoder) Filled(r *record.Event) (f Filled) {
	a := &e.activity
	e.table.Event(a, r)
	var before [fieldCount]string
	for i, p := range fields(a) {
		before[i] = *p
	}
	entity := a.Entity.ID
	e.Names().contained(e.complete)
	for i, p := range fields(a) {
		if *p != before[i] {
			f.texts = append(f.texts, filledText{i, *p})
		}
	}
	if a.Entity.ID != entity {
		panic("not a field yet")
	}
	f.ip, f.from, f.kinds = a.IP, a.IPSource, [2]schema.UserKind{a.User.Kind, a.Actor.Kind}
	f.allRoles = slices.Clone(a.Roles)
	return f
}

// AppendFilled does what AppendMsgpack does, with fields that cost nothing to find.
func (e *Encoder) AppendFilled(b []byte, r *record.Event, f *Filled) []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	a := &e.activity
	e.table.Event(a, r)
	to := fields(a)
	for _, t := range f.texts {
		*to[t.field] = t.text
	}
	a.IP, a.IPSource, a.User.Kind, a.Actor.Kind = f.ip, f.from, f.kinds[0], f.kinds[1]
	a.Roles = append(a.Roles[:0], f.allRoles...)
	return e.writer.AppendMsgpack(b, a, 0, nil)
}
