package enrich

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const org = "900712317102263334"

func wantUser(t *testing.T, s *Store, id, name string) {
	t.Helper()
	u, ok := s.User(id)
	if ok != (name != "") || u.Name != name {
		t.Errorf("user %s: got %+v, %v, want the name %q", id, u, ok, name)
	}
}

func TestLearn_Recorded(t *testing.T) {
	s := fresh(t, Options{})
	events := recorded()
	for _, e := range events {
		s.Learn(e)
	}
	got := map[string]any{}
	show := func(what string, v any, ok bool) {
		if !ok {
			v = nil
		}
		got[what] = v
	}
	u, ok := s.User("400712317102984230")
	show("user", u, ok)
	got["login name"] = u.LoginName
	u, ok = s.User("400712690395253798")
	show("renamed user", u, ok)
	u, ok = s.User("400712317102787622")
	show("machine", u, ok)
	o, ok := s.Org("400712683113942054")
	show("org", o, ok)
	p, ok := s.Project("400712684154129446")
	show("project", p, ok)
	a, ok := s.Client("400712317270166566")
	show("client", a, ok)
	a, ok = s.Entity("https://sp.example.com/saml")
	show("entity", a, ok)
	i, ok := s.IDP("400712716886477862")
	show("idp", i, ok)
	x, ok := s.Session("oidc_session", "V2_400713410641136678")
	show("oidc session of Login V1", x, ok)
	x, ok = s.Session("session", "400713789319679014")
	show("session", x, ok)
	g, ok := s.Grant("400712712574733350")
	show("removed grant", g, ok)
	k, ok := s.Token("400712317102853158")
	show("pat", k, ok)
	k, ok = s.Token("rt_400713790410329126")
	show("refresh token", k, ok)
	want := map[string]any{
		"user":         User{ID: "400712317102984230", Name: "zitadel-admin@zitadel.localhost", LoginName: "zitadel-admin@zitadel.localhost", Email: "zitadel-admin@zitadel.localhost", DisplayName: "ZITADEL Admin", Kind: "human", Org: "400712317102263334"},
		"login name":   "zitadel-admin@zitadel.localhost",
		"renamed user": User{ID: "400712690395253798", Name: "user4-Владимир-renamed", LoginName: "user4-Владимир-renamed", Email: "new3@example.net", DisplayName: "Владимир Иванов", Kind: "human", Org: "400712683113942054"},
		"machine":      User{ID: "400712317102787622", Name: "lab-admin", LoginName: "lab-admin", DisplayName: "Lab Admin", Kind: "machine", Org: "400712317102263334"},
		"org":          Org{Name: "Acme GmbH", Domain: "d42054.example.com"},
		"project":      Project{Name: "Projekt 0 umbenannt", Org: "400712683113942054"},
		"client":       App{ID: "400712317102591014", Name: "Management Console", Client: "400712317270166566", Project: "400712317102328870", Org: "400712317102263334"},
		"entity":       App{ID: "400712689858382886", Name: "saml", Client: "https://sp.example.com/saml", Project: "400712684154129446", Org: "400712683113942054"},
		"idp":          IDP{Name: "Keycloak 2", Kind: "oidc", Org: "400712683113942054"},
		"oidc session of Login V1": Session{
			User: "400712808657849382", Org: "400712317102263334", Client: "400712808473365542", Session: "V1_400713410557250598",
			IP: "127.0.0.1", UserAgent: "Mozilla/5.0 (X11; Linux x86_64) lab-login-driver/1.0", Fingerprint: "400713410255260710",
		},
		"session": Session{User: "400713768885029926", Org: "400712317102263334"},
		// Removed less than Grace before the last event.
		"removed grant": Grant{User: "400712689875160102", Org: "400712683113942054", Project: "400712684154129446", Roles: []string{"reader", "admin"}},
		"pat":           Token{Kind: "pat", User: "400712317102787622"},
		"refresh token": Token{Kind: "refresh_token", User: "400712808657849382"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// No event of a recording leaves what it teaches unknown, and learning all of it again
// changes nothing, in memory and in the file.
func TestLearn_TwiceChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "names")
	s := open(t, path, Options{})
	defer s.Close()
	events := recorded()
	for _, e := range events {
		s.Learn(e)
	}
	mustSync(t, s)
	before, size := dump(s), s.file.size
	for _, e := range events {
		s.Learn(e)
	}
	mustSync(t, s)
	if diff := cmp.Diff(before, dump(s), sameEntry); diff != "" {
		t.Error(diff)
	}
	if s.file.size != size {
		t.Errorf("the file grew from %d to %d bytes", size, s.file.size)
	}
	if len(before) < 300 {
		t.Errorf("only %d entries", len(before))
	}
}

// dump returns everything that is known.
func dump(s *Store) map[string]entry {
	all := map[string]entry{}
	for _, r := range []*ring{s.names, s.flows} {
		for key := range r.all {
			k, id, _, err := splitKey(key)
			if err != nil {
				panic(err)
			}
			var e entry
			r, hash := s.address(k, id)
			body, ok := r.get(s.key, hash)
			if !ok {
				panic("not found")
			}
			e.read(k, id, body, s)
			all[fmt.Sprint(k, "/", id)] = e
		}
	}
	return all
}

func TestLearn_OlderNeverOverwritesNewer(t *testing.T) {
	added := human("1", 1, after(0), "ann", "ann@example.com", "Ann")
	mail := what("user.human.email.changed", "user", "1", 4, after(2), map[string]any{"email": "new@example.com"})
	name := what("user.username.changed", "user", "1", 6, after(3), map[string]any{"userName": "anna"})
	older := what("user.username.changed", "user", "1", 5, after(3), map[string]any{"userName": "anne"})
	want := User{ID: "1", Name: "anna", LoginName: "anna", Email: "new@example.com", DisplayName: "Ann", Kind: "human", Org: org}
	permute([]*event{added, mail, name, older}, func(events []*event) {
		s := fresh(t, Options{})
		for _, e := range events {
			s.Learn(e)
		}
		if u, _ := s.User("1"); u != want {
			t.Errorf("after %v: %+v", types(events), u)
		}
	})
}

func permute(events []*event, f func([]*event)) {
	if len(events) < 2 {
		f(events)
		return
	}
	var rec func(n int)
	rec = func(n int) {
		if n == 1 {
			f(events)
			return
		}
		for i := range n {
			events[i], events[n-1] = events[n-1], events[i]
			rec(n - 1)
			events[i], events[n-1] = events[n-1], events[i]
		}
	}
	rec(len(events))
}

func types(events []*event) (list []string) {
	for _, e := range events {
		list = append(list, fmt.Sprint(e.Type, " ", e.Sequence))
	}
	return list
}

// A name changed: later events show the new one.
func TestLearn_NameChanged(t *testing.T) {
	s := fresh(t, Options{})
	s.Learn(human("1", 1, after(0), "ann", "", ""))
	wantUser(t, s, "1", "ann")
	s.Learn(what("user.username.changed", "user", "1", 2, after(1), map[string]any{"userName": "anna"}))
	wantUser(t, s, "1", "anna")
	s.Learn(what("user.human.profile.changed", "user", "1", 3, after(2), map[string]any{"firstName": "A"}))
	s.Learn(what("user.human.profile.changed", "user", "1", 4, after(2), map[string]any{"displayName": "Anna"}))
	if u, _ := s.User("1"); u.DisplayName != "Anna" || u.Name != "anna" {
		t.Errorf("%+v", u)
	}
}

func TestLoginName_FollowsThePolicy(t *testing.T) {
	s := fresh(t, Options{})
	s.Learn(human("1", 1, after(0), "ann", "", ""))
	login := func() string {
		u, _ := s.User("1")
		return u.LoginName
	}
	if got := login(); got != "ann" {
		t.Errorf("without a policy: %q", got)
	}
	s.Learn(what("instance.policy.domain.added", "instance", "7", 1, after(0), map[string]any{"userLoginMustBeDomain": true}))
	if got := login(); got != "" {
		t.Errorf("the domain is not known: %q", got)
	}
	s.Learn(what("org.domain.primary.set", "org", org, 1, after(0), map[string]any{"domain": "acme.example.com"}))
	if got := login(); got != "ann@acme.example.com" {
		t.Errorf("with the domain: %q", got)
	}
	s.Learn(what("org.policy.domain.added", "org", org, 2, after(1), map[string]any{}))
	if got := login(); got != "ann" {
		t.Errorf("with a policy of the organisation: %q", got)
	}
	s.Learn(what("org.policy.domain.removed", "org", org, 3, after(2), nil))
	if got := login(); got != "ann@acme.example.com" {
		t.Errorf("the policy of the organisation is removed: %q", got)
	}
}

func TestSession_FollowsLinks(t *testing.T) {
	s := fresh(t, Options{})
	agent := map[string]any{"ip": "203.0.113.7", "description": "Firefox", "fingerprint_id": "fp"}
	s.Learn(what("session.added", "session", "5", 1, after(0), map[string]any{"user_agent": agent}))
	s.Learn(what("session.user.checked", "session", "5", 2, after(0), map[string]any{"userID": "1", "userResourceOwner": org}))
	s.Learn(what("auth_request.session.linked", "auth_request", "V2_6", 2, after(1), map[string]any{"session_id": "5", "user_id": "1"}))
	want := Session{User: "1", Org: org, Session: "5", IP: "203.0.113.7", UserAgent: "Firefox", Fingerprint: "fp"}
	if x, ok := s.Session("auth_request", "V2_6"); !ok || x != want {
		t.Errorf("linked session: %+v", x)
	}

	// A session of another user behind the request is not believed.
	s.Learn(what("auth_request.session.linked", "auth_request", "V2_7", 2, after(1), map[string]any{"session_id": "5", "user_id": "2"}))
	if x, _ := s.Session("auth_request", "V2_7"); x != (Session{User: "2", Session: "5"}) {
		t.Errorf("session of another user: %+v", x)
	}

	// Login V1: the address comes from the last check in the same user agent.
	s.Learn(what("user.human.password.check.succeeded", "user", "1", 9, after(2), map[string]any{"id": "3", "remoteIP": "198.51.100.9", "userAgent": "Safari", "userAgentID": "ua"}))
	s.Learn(what("user.human.password.check.succeeded", "user", "2", 3, after(1), map[string]any{"id": "3", "remoteIP": "198.51.100.1", "userAgent": "Safari", "userAgentID": "ua"}))
	v1 := map[string]any{"userID": "1", "userResourceOwner": org, "sessionID": "V1_8", "clientID": "9@app", "userAgent": map[string]any{"description": "Safari", "fingerprint_id": "ua"}}
	s.Learn(what("oidc_session.added", "oidc_session", "V2_9", 1, after(3), v1))
	for typ, id := range map[string]string{"oidc_session": "V2_9", "session": "V1_8"} {
		if x, ok := s.Session(typ, id); !ok || x.User != "1" || x.IP != "198.51.100.9" || x.UserAgent != "Safari" {
			t.Errorf("%s %s: %+v", typ, id, x)
		}
	}
	if _, ok := s.Session("user", "1"); ok {
		t.Error("a user is a session")
	}

	// The session of Login V2 is taught by its own events alone.
	s.Learn(what("oidc_session.added", "oidc_session", "V2_10", 1, after(9), map[string]any{"userID": "66", "sessionID": "5"}))
	if x, _ := s.Session("session", "5"); x.User != "1" {
		t.Errorf("taught by another aggregate: %+v", x)
	}
}

func TestGrant_KeepsAFewRoles(t *testing.T) {
	s := fresh(t, Options{})
	payload := map[string]any{"userId": "1", "projectId": "2", "roleKeys": []any{"admin", "\x00\x05a,b\n", "", "ö"}}
	s.Learn(what("user.grant.added", "usergrant", "3", 1, after(0), payload))
	g, ok := s.Grant("3")
	if want := (Grant{User: "1", Org: org, Project: "2", Roles: []string{"admin", "\x00\x05a,b\n", "ö"}}); !ok || !cmp.Equal(g, want) {
		t.Errorf("%+v", g)
	}
	var many []any
	for i := range 1000 {
		many = append(many, fmt.Sprint("role-", i))
	}
	s.Learn(what("user.grant.changed", "usergrant", "3", 2, after(1), map[string]any{"roleKeys": many}))
	if g, _ := s.Grant("3"); len(g.Roles) < 50 || len(g.Roles) == 1000 || !g.More || g.Roles[1] != "role-1" {
		t.Errorf("%d roles, more %v", len(g.Roles), g.More)
	}
}

// Law 7: whatever an id or a name is, it reaches no other entry.
func TestLearn_NoIDReachesAnotherEntry(t *testing.T) {
	s := fresh(t, Options{})
	ids := []string{
		"1", "01", "+1", "1 ", "١", "18446744073709551615", "18446744073709551616", "9999999999999999999", "99999999999999999999", "0", "00",
		"user/1", "1\x00", "\x00", "V1_1", "V2_1", "a", "A", "ä", "a\u0308", strings.Repeat("x", 255), strings.Repeat("x", 254) + "y",
		string([]byte{0, 0, 0, 0, 0, 0, 0, 1}),
	}
	for i, id := range ids {
		s.Learn(human(id, 1, after(0), fmt.Sprint("user ", i), "", ""))
		s.Learn(what("org.added", "org", id, 1, after(0), map[string]any{"name": fmt.Sprint("org ", i)}))
		s.Learn(what("session.user.checked", "session", id, 1, after(0), map[string]any{"userID": fmt.Sprint("session ", i)}))
		s.Learn(what("project.application.config.saml.added", "project", "p", uint64(i+1), after(i), map[string]any{"appId": fmt.Sprint("saml ", i), "entityId": id}))
		s.Learn(what("project.application.config.oidc.added", "project", "p", uint64(i+1), after(i), map[string]any{"appId": fmt.Sprint("oidc ", i), "clientId": id}))
		s.Learn(what("project.application.added", "project", "p", uint64(i+1), after(i), map[string]any{"appId": fmt.Sprint("saml ", i), "name": fmt.Sprint("saml app ", i)}))
		s.Learn(what("project.application.added", "project", "p", uint64(i+1), after(i), map[string]any{"appId": fmt.Sprint("oidc ", i), "name": fmt.Sprint("oidc app ", i)}))
	}
	for i, id := range ids {
		wantUser(t, s, id, fmt.Sprint("user ", i))
		if o, _ := s.Org(id); o.Name != fmt.Sprint("org ", i) {
			t.Errorf("org %q: %+v", id, o)
		}
		if x, _ := s.Session("session", id); x.User != fmt.Sprint("session ", i) {
			t.Errorf("session %q: %+v", id, x)
		}
		if a, _ := s.Entity(id); a.Name != fmt.Sprint("saml app ", i) || a.Client != id {
			t.Errorf("entity %q: %+v", id, a)
		}
		if a, _ := s.Client(id); a.Name != fmt.Sprint("oidc app ", i) || a.Client != id {
			t.Errorf("client %q: %+v", id, a)
		}
	}
	long := strings.Repeat("x", 256)
	s.Learn(human(long, 1, after(0), "long", "", ""))
	if _, ok := s.User(long); ok {
		t.Error("an id that is too long is kept")
	}
}

// Law 6: nothing but the named fields is kept, none of them without bound, and nothing
// that was redacted.
func TestLearn_KeepsNoSecretAndNoMuch(t *testing.T) {
	s := fresh(t, Options{})
	e := human("1", 1, after(0), strings.Repeat("ä", 1000), "[REDACTED]", "x")
	e.Payload.Fields["encodedHash"] = e.Payload.Fields["userName"]
	s.Learn(e)
	u, _ := s.User("1")
	if u.Name != strings.Repeat("ä", MaxText/2) || u.Email != "" {
		t.Errorf("%+v", u)
	}
	s.Learn(what("session.user.checked", "session", "5", 1, after(0), map[string]any{"userID": strings.Repeat("1", 300)}))
	if x, _ := s.Session("session", "5"); x.User != "" {
		t.Errorf("a part of an id: %q", x.User)
	}
	for _, e := range recorded() {
		s.Learn(e)
	}
	mustSync(t, s)
	for _, marker := range []string{"Passw0rd!x", "N3wPassw0rd!", "zitadel.useragent=", "zitadel.login.csrf=", "gorilla.csrf.Token", "$2a$", "Crypted", "code=ey", "[REDACTED]"} {
		if strings.Contains(string(mustRead(t, s.file.path)), marker) {
			t.Errorf("the file holds %q", marker)
		}
	}
}

// An event without its payload, as one that could not be read, takes no name away.
func TestLearn_WithoutPayload(t *testing.T) {
	s := fresh(t, Options{})
	s.Learn(human("1", 1, after(0), "ann", "", ""))
	s.Learn(what("user.username.changed", "user", "1", 2, after(1), nil))
	wantUser(t, s, "1", "ann")
	s.Learn(what("user.username.changed", "user", "1", 2, after(1), map[string]any{"userName": "anna"}))
	wantUser(t, s, "1", "anna")
}

// An entity id that was changed leads to the application that has it now.
func TestEntity_Changed(t *testing.T) {
	s := fresh(t, Options{})
	saml := func(typ, app, entity string, seq uint64, at int) {
		s.Learn(what("project.application.config.saml."+typ, "project", "p"+app, seq, after(at), map[string]any{"appId": app, "entityId": entity}))
	}
	saml("added", "1", "https://a.example", 1, 0)
	saml("changed", "1", "https://b.example", 2, 1)
	if a, ok := s.Entity("https://a.example"); ok {
		t.Errorf("the old one: %+v", a)
	}
	saml("added", "2", "https://a.example", 1, 2)
	for entity, app := range map[string]string{"https://a.example": "2", "https://b.example": "1"} {
		if a, ok := s.Entity(entity); !ok || a.ID != app {
			t.Errorf("%s: %+v", entity, a)
		}
	}
}

// Events of another instance teach nothing.
func TestLearn_ForeignInstance(t *testing.T) {
	s := fresh(t, Options{})
	e := human("1", 1, after(0), "ann", "", "")
	e.Instance = "other"
	s.Learn(e)
	wantUser(t, s, "1", "")
}
