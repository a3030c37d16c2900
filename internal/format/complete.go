package format

import (
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/enrich"
	"github.com/zitadel-siem/zitadel-siem/internal/pseudonym"
	"github.com/zitadel-siem/zitadel-siem/internal/schema"
)

// complete fills what a record leaves open from what earlier events said. What the record
// says itself stays, and what is not known stays empty. It looks up by ids alone, so that
// no name decides what is filled.
func (e *Encoder) complete(s *enrich.Store) {
	a := &e.activity
	e.completeFlow(s)
	e.completeGrant(s)
	e.completeUser(s, &a.User)
	e.completeUser(s, &a.Actor)
	e.completeApplication(s)
	if a.Project.ID != "" && a.Project.Name == "" {
		p, _ := s.Project(a.Project.ID)
		a.Project.Name = p.Name
	}
	if a.Organization.ID != "" && a.Organization.Name == "" {
		o, _ := s.Org(a.Organization.ID)
		a.Organization.Name = o.Name
	}
	if a.IDP.ID != "" && a.IDP.Name == "" {
		p, _ := s.IDP(a.IDP.ID)
		a.IDP.Name = p.Name
	}
	e.completeEntity(s)
}

// completeFlow takes user, address and application of the session, or of the request that
// leads to one, that the event belongs to.
func (e *Encoder) completeFlow(s *enrich.Store) {
	a := &e.activity
	x, ok := s.Session(a.AggregateType, a.AggregateID)
	if !ok && a.Session != "" {
		x, ok = s.Session("session", a.Session)
	}
	if !ok || a.User.ID != "" && x.User != "" && a.User.ID != x.User {
		return
	}
	if a.User.ID == "" && strings.Contains(a.Row.User, "state.") {
		a.User.ID = x.User
	}
	if a.User.ID != "" {
		set(&a.User.Org, x.Org)
	}
	if !a.HasAddress() && x.IP != "" {
		if e.tokens == nil {
			a.SetIP(x.IP, schema.IPSession)
		} else {
			a.Address, a.IPSource = e.tokens.Token(pseudonym.IP, x.IP), schema.IPSession
		}
	}
	e.setPersonal(&a.UserAgent, pseudonym.Agent, x.UserAgent)
	e.setPersonal(&a.Agent, pseudonym.Agent, x.Fingerprint)
	set(&a.Session, x.Session)
	set(&a.Client, x.Client)
	set(&a.Application.ID, x.App)
	set(&a.IDP.ID, x.IDP)
}

// completeGrant takes user, project and roles of a user grant, and the application of a key.
func (e *Encoder) completeGrant(s *enrich.Store) {
	a := &e.activity
	if a.AggregateType == "usergrant" {
		if g, ok := s.Grant(a.AggregateID); ok {
			set(&a.User.ID, g.User)
			set(&a.Project.ID, g.Project)
			if len(a.Roles) == 0 && a.Row.Roles != "" {
				a.Roles = append(a.Roles, g.Roles...)
			}
		}
	}
	if a.Row.Entity.Name == "Credential" && a.Entity.ID != "" {
		if t, ok := s.Token(a.Entity.ID); ok {
			if a.Row.User != "" {
				set(&a.User.ID, t.User)
			}
			set(&a.Application.ID, t.App)
		}
	}
}

// completeUser takes names, e-mail address, kind and organisation of a user.
func (e *Encoder) completeUser(s *enrich.Store, u *schema.User) {
	if u.ID == "" {
		return
	}
	known, ok := s.User(u.ID)
	if !ok {
		return
	}
	if u.Name == "" {
		name := known.LoginName
		set(&name, known.Name)
		e.setPersonal(&u.Name, pseudonym.User, name)
	}
	e.setPersonal(&u.Email, pseudonym.Mail, known.Email)
	e.setPersonal(&u.FullName, pseudonym.Name, known.DisplayName)
	set(&u.Org, known.Org)
	if u.Kind == schema.UserUnknown {
		switch known.Kind {
		case "human":
			u.Kind = schema.Human
		case "machine":
			u.Kind = schema.Machine
		}
	}
}

// completeApplication finds an application by its id, or by its client id.
func (e *Encoder) completeApplication(s *enrich.Store) {
	a := &e.activity
	var app enrich.App
	var ok bool
	switch {
	case a.Application.ID != "":
		app, ok = s.App(a.Application.ID)
	case a.Client != "":
		if app, ok = s.Client(a.Client); !ok {
			app, ok = s.Entity(a.Client)
		}
	}
	if !ok {
		return
	}
	set(&a.Application.ID, app.ID)
	set(&a.Application.Name, app.Name)
	set(&a.Client, app.Client)
	set(&a.Project.ID, app.Project)
}

// completeEntity takes the name of what the event is about.
func (e *Encoder) completeEntity(s *enrich.Store) {
	a := &e.activity
	if a.Row.Entity.ID == userEntity && (a.Entity.ID == "" || a.Entity.ID == a.User.ID) {
		set(&a.Entity.ID, a.User.ID)
		set(&a.Entity.Name, a.User.Name)
		return
	}
	if a.Entity.ID == "" || a.Entity.Name != "" {
		return
	}
	switch {
	case a.Row.Entity.Name == "Organization" && a.Entity.ID == a.Organization.ID:
		a.Entity.Name = a.Organization.Name
	case a.Row.Entity.Name == "Project" && a.Entity.ID == a.Project.ID:
		a.Entity.Name = a.Project.Name
	case a.Row.Entity.Name == "Application" && a.Entity.ID == a.Application.ID:
		a.Entity.Name = a.Application.Name
	case a.Row.Entity.Name == "Identity Provider" && a.Entity.ID == a.IDP.ID:
		a.Entity.Name = a.IDP.Name
	case a.Entity.ID == a.AggregateID:
		a.Entity.Name, _ = s.Name(a.AggregateType, a.AggregateID)
	}
}

// userEntity is the entity type of users.
const userEntity = 2

func set(s *string, v string) {
	if *s == "" {
		*s = v
	}
}

// setPersonal sets a personal value, or its token.
func (e *Encoder) setPersonal(s *string, k pseudonym.Kind, v string) {
	if *s != "" || v == "" {
		return
	}
	if e.tokens != nil {
		v = e.tokens.Token(k, v)
	}
	*s = v
}
