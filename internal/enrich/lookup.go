package enrich

import "strings"

// The lookups return what is known. ok is false if nothing is known. A field that is not
// known is empty. Lookups never return what is forgotten.

// User is a person or a machine.
type User struct {
	ID   string
	Name string // the user name, unique in its organisation or instance
	// LoginName is the user name, with the primary domain of the organisation if the domain
	// policy asks for it. It is empty if the user name or that domain is not known.
	LoginName string
	Email     string
	// DisplayName of a person, name of a machine.
	DisplayName string
	Kind        string // "human", "machine"
	Org         string // id of the organisation
}

// Org is an organisation.
type Org struct {
	Name   string
	Domain string // primary domain
}

// Project is a project.
type Project struct {
	Name string
	Org  string
}

// App is an application.
type App struct {
	ID      string
	Name    string
	Client  string // OIDC client id or SAML entity id
	Project string
	Org     string
}

// IDP is an identity provider. Kind is ZITADEL's word, such as "google" or "oidc"; a
// provider may have no name of its own.
type IDP struct {
	Name string
	Kind string
	Org  string // or the instance
}

// Session is a session, an OIDC or SAML session, or a request that leads to one.
type Session struct {
	User        string // id
	Org         string // of the user
	Client      string // OIDC client id or SAML entity id
	App         string // of a SAML request
	IDP         string // of an intent
	Session     string // id of the session behind it
	IP          string // as ZITADEL recorded it
	UserAgent   string
	Fingerprint string // id that ZITADEL, or the login, gave to the user agent
}

// Grant says which roles a user has in a project, or which roles of a project an
// organisation may give away.
type Grant struct {
	User    string // of a user grant
	Org     string // of a project grant: to which it was granted
	Project string
	Roles   []string
	More    bool // there are more roles than are kept
}

// Token is a personal access token, a key or a refresh token.
type Token struct {
	Kind string // "pat", "key" (of a machine), "app_key", "refresh_token"
	User string
	App  string // of an app_key
}

// User looks up a user id.
func (s *Store) User(id string) (User, bool) {
	slot := s.look(kindUser, id)
	if slot.unknown {
		return User{}, false
	}
	e := &slot.e
	u := User{ID: e.id, Name: e.f[fName], Email: e.f[fEmail], DisplayName: e.f[fDisplay], Kind: e.f[fKind], Org: e.f[fOrg]}
	if slot.hasLogin {
		u.LoginName = slot.login
		return u, true
	}
	u.LoginName = s.loginName(u)
	if e.kind == kindUser && e.id == u.ID { // nothing else took its slot
		slot.login, slot.hasLogin = u.LoginName, true
	}
	return u, true
}

// loginName returns the name by which u logs in.
func (s *Store) loginName(u User) string {
	policy, ok := s.find(kindPolicy, u.Org)
	if !ok {
		policy, ok = s.find(kindPolicy, "")
	}
	if !ok || policy.f[fKind] != "true" || u.Name == "" {
		return u.Name
	}
	org, ok := s.Org(u.Org)
	if !ok || org.Domain == "" {
		return ""
	}
	return u.Name + "@" + org.Domain
}

// Org looks up the id of an organisation.
func (s *Store) Org(id string) (Org, bool) {
	e, ok := s.find(kindOrg, id)
	if !ok {
		return Org{}, false
	}
	return Org{Name: e.f[fName], Domain: e.f[fDomain]}, true
}

// Project looks up the id of a project.
func (s *Store) Project(id string) (Project, bool) {
	e, ok := s.find(kindProject, id)
	if !ok {
		return Project{}, false
	}
	return Project{Name: e.f[fName], Org: e.f[fOrg]}, true
}

// App looks up the id of an application.
func (s *Store) App(id string) (App, bool) {
	e, ok := s.find(kindApp, id)
	if !ok {
		return App{}, false
	}
	return App{ID: e.id, Name: e.f[fName], Client: e.f[fClient], Project: e.f[fProject], Org: e.f[fOrg]}, true
}

// Client looks up the application of an OIDC client id.
func (s *Store) Client(clientID string) (App, bool) { return s.appOf(kindClient, clientID) }

// Entity looks up the application of a SAML entity id.
func (s *Store) Entity(entityID string) (App, bool) {
	a, ok := s.appOf(kindEntity, entityID)
	if ok && a.Client != entityID {
		return App{}, false // it has got another one
	}
	return a, ok
}

func (s *Store) appOf(k kind, id string) (App, bool) {
	e, ok := s.find(k, id)
	if !ok {
		return App{}, false
	}
	return s.App(e.f[fApp])
}

// IDP looks up the id of an identity provider.
func (s *Store) IDP(id string) (IDP, bool) {
	e, ok := s.find(kindIDP, id)
	if !ok {
		return IDP{}, false
	}
	return IDP{Name: e.f[fName], Kind: e.f[fKind], Org: e.f[fOrg]}, true
}

// Name looks up the name of a group, an action or a target by its aggregate.
func (s *Store) Name(aggregateType, id string) (string, bool) {
	switch k := kindNames[aggregateType]; k {
	case kindGroup, kindAction, kindTarget:
		e, ok := s.find(k, id)
		return e.f[fName], ok
	}
	return "", false
}

// v1Session is the prefix of session ids of Login V1, which has no session events.
const v1Session = "V1_"

// Session looks up an aggregate of the type "session", "oidc_session", "saml_session",
// "auth_request", "saml_request", "device_auth" or "idpintent". What the aggregate itself
// does not say is taken from the session behind it, and for Login V1 from the last check of
// a factor in the same user agent.
func (s *Store) Session(aggregateType, id string) (Session, bool) {
	k, ok := flowKind(aggregateType)
	if !ok {
		return Session{}, false
	}
	e, ok := s.find(k, id)
	if !ok {
		return Session{}, false
	}
	x := Session{
		User: e.f[fUser], Org: e.f[fOrg], Client: e.f[fClient], App: e.f[fApp], IDP: e.f[fIDP], Session: e.f[fSession],
		IP: e.f[fIP], UserAgent: e.f[fAgent], Fingerprint: e.f[fFingerprint],
	}
	if x.Session != "" && (x.User == "" || x.IP == "") {
		if behind, ok := s.find(kindSession, x.Session); ok && (x.User == "" || x.User == behind.f[fUser]) {
			fill(&x.User, behind.f[fUser])
			fill(&x.Org, behind.f[fOrg])
			fill(&x.IP, behind.f[fIP])
			fill(&x.UserAgent, behind.f[fAgent])
			fill(&x.Fingerprint, behind.f[fFingerprint])
		}
	}
	if x.IP == "" && (strings.HasPrefix(id, v1Session) || strings.HasPrefix(x.Session, v1Session)) {
		x.IP, _ = s.UserAgent(x.Fingerprint)
	}
	return x, true
}

// flowKind looks up kindNames for the aggregates of [Store.Session]. A switch is faster than
// the map.
func flowKind(aggregateType string) (kind, bool) {
	switch aggregateType {
	case "session":
		return kindSession, true
	case "oidc_session":
		return kindOIDCSession, true
	case "saml_session":
		return kindSAMLSession, true
	case "auth_request":
		return kindAuthRequest, true
	case "saml_request":
		return kindSAMLRequest, true
	case "device_auth":
		return kindDeviceAuth, true
	case "idpintent":
		return kindIntent, true
	}
	return 0, false
}

func fill(s *string, from string) {
	if *s == "" {
		*s = from
	}
}

// UserAgent looks up the address and the user agent text of a userAgentID of Login V1.
func (s *Store) UserAgent(id string) (ip, userAgent string) {
	e, _ := s.find(kindAgent, id)
	return e.f[fIP], e.f[fAgent]
}

// Grant looks up the id of a user grant.
func (s *Store) Grant(id string) (Grant, bool) { return s.grant(kindGrant, id) }

// ProjectGrant looks up the grantId of a project grant.
func (s *Store) ProjectGrant(id string) (Grant, bool) { return s.grant(kindProjectGrant, id) }

func (s *Store) grant(k kind, id string) (Grant, bool) {
	e, ok := s.find(k, id)
	if !ok {
		return Grant{}, false
	}
	g := Grant{User: e.f[fUser], Org: e.f[fOrg], Project: e.f[fProject]}
	g.Roles, g.More = unpackList(e.f[fRoles])
	return g, true
}

// Token looks up the id of a token or key.
func (s *Store) Token(id string) (Token, bool) {
	if e, ok := s.find(kindToken, id); ok {
		return Token{Kind: e.f[fKind], User: e.f[fUser], App: e.f[fApp]}, true
	}
	e, ok := s.find(kindRefresh, id)
	if !ok {
		return Token{}, false
	}
	t := Token{Kind: "refresh_token", User: e.f[fUser]}
	if t.User == "" {
		session, _ := s.find(kindOIDCSession, e.f[fSession])
		t.User = session.f[fUser]
	}
	return t, true
}
