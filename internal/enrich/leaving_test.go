package enrich

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
)

// The name is kept for the event of the removal and for its transaction, and forgotten
// when an event is learned that was created long after it.
func TestRemoved_NameStaysForTheRemovalThenGoes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "names")
	s := open(t, path, Options{})
	s.Learn(human("1", 1, after(0), "ann-of-old", "", ""))
	removed := what("user.removed", "user", "1", 2, after(10), nil)
	cascade := what("user.grant.cascade.removed", "usergrant", "3", 2, after(10), nil)
	for range 2 { // delivered twice, the clock of ZITADEL far ahead in between
		s.Learn(removed)
		wantUser(t, s, "1", "ann-of-old")
		s.Learn(cascade)
		wantUser(t, s, "1", "ann-of-old")
	}
	s.Learn(what("org.added", "org", "9", 1, after(3610), map[string]any{"name": "x"}))
	wantUser(t, s, "1", "ann-of-old")
	mustSync(t, s)
	if err := s.Close(); err != nil { // a restart in between
		t.Fatal(err)
	}
	s = open(t, path, Options{})
	wantUser(t, s, "1", "ann-of-old")
	s.Learn(what("org.added", "org", "9", 1, after(3611), map[string]any{"name": "x"}))
	wantUser(t, s, "1", "")

	// An older event that comes late does not bring it back, nor does a restart.
	s.Learn(human("1", 1, after(0), "ann-of-old", "", ""))
	wantUser(t, s, "1", "")
	mustSync(t, s)
	if bytes.Contains(mustRead(t, path), []byte("ann-of-old")) {
		t.Error("the file still holds the name")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, Options{})
	defer s.Close()
	s.Learn(human("1", 1, after(0), "ann-of-old", "", ""))
	wantUser(t, s, "1", "")

	// The same id again is somebody else.
	s.Learn(what("user.machine.added", "user", "1", 3, after(9000), map[string]any{"userName": "robot", "name": "Robot"}))
	if u, _ := s.User("1"); u != (User{ID: "1", Name: "robot", LoginName: "robot", DisplayName: "Robot", Kind: "machine", Org: org}) {
		t.Errorf("%+v", u)
	}
	s.Learn(what("user.human.email.changed", "user", "1", 1, after(0), map[string]any{"email": "ann@example.com"}))
	if u, _ := s.User("1"); u.Email != "" {
		t.Errorf("an e-mail address of the one before: %+v", u)
	}
}

// A clock that jumps ahead must not take the name from the event of the removal.
func TestRemoved_AfterAClockJump(t *testing.T) {
	s := fresh(t, Options{})
	s.Learn(human("1", 1, after(0), "ann", "", ""))
	s.Learn(human("2", 1, after(100_000), "bob", "", ""))
	s.Learn(what("user.removed", "user", "1", 2, after(10), nil))
	wantUser(t, s, "1", "ann")
	s.Learn(what("user.grant.cascade.removed", "usergrant", "3", 2, after(10), nil))
	wantUser(t, s, "1", "ann")
	s.Learn(human("3", 1, after(11), "eve", "", ""))
	wantUser(t, s, "1", "")
}

// The result does not depend on the order in which events come.
func TestRemoved_AnyOrder(t *testing.T) {
	events := []*event{
		human("1", 1, after(0), "ann", "a@example.com", "Ann"),
		what("user.username.changed", "user", "1", 2, after(1), map[string]any{"userName": "anna"}),
		what("user.removed", "user", "1", 3, after(2), nil),
		what("user.machine.added", "user", "1", 4, after(3), map[string]any{"userName": "robot", "name": "R"}),
	}
	want := User{ID: "1", Name: "robot", LoginName: "robot", DisplayName: "R", Kind: "machine", Org: org}
	permute(events, func(events []*event) {
		s := fresh(t, Options{})
		for _, e := range events {
			s.Learn(e)
		}
		if u, _ := s.User("1"); u != want {
			t.Errorf("after %v: %+v", types(events), u)
		}
	})
	permute(events[:3], func(events []*event) {
		s := fresh(t, Options{})
		for _, e := range events {
			s.Learn(e)
		}
		wantUser(t, s, "1", "anna")
		s.Learn(human("9", 1, after(9000), "x", "", ""))
		wantUser(t, s, "1", "")
	})
}

// Organisations, projects, applications and providers go like users, and what belongs to
// them goes with them.
func TestRemoved_TakesWhatBelongsToIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "names")
	s := open(t, path, Options{})
	e := func(typ, aggregate, id string, seq uint64, at int, owner string, payload map[string]any) {
		x := what(typ, aggregate, id, seq, after(at), payload)
		x.ResourceOwner = owner
		s.Learn(x)
	}
	for _, o := range []string{"10", "20"} {
		e("org.added", "org", o, 1, 0, o, map[string]any{"name": "org " + o})
		e("user.human.added", "user", o+"1", 1, 0, o, map[string]any{"userName": "user " + o})
		for _, p := range []string{o + "2", o + "3"} {
			e("project.added", "project", p, 1, 0, o, map[string]any{"name": "project " + p})
			e("project.application.added", "project", p, 2, 0, o, map[string]any{"appId": p + "5", "name": "app " + p})
			e("project.application.config.oidc.added", "project", p, 3, 0, o, map[string]any{"appId": p + "5", "clientId": p + "6"})
		}
		e("org.idp.oidc.added", "org", o, 2, 0, o, map[string]any{"id": o + "7", "name": "idp " + o})
	}
	state := func() string {
		var known []string
		for _, o := range []string{"10", "20"} {
			if x, ok := s.Org(o); ok {
				known = append(known, x.Name)
			}
			if x, ok := s.User(o + "1"); ok {
				known = append(known, x.Name)
			}
			for _, p := range []string{o + "2", o + "3"} {
				if x, ok := s.Project(p); ok {
					known = append(known, x.Name)
				}
				if x, ok := s.Client(p + "6"); ok {
					known = append(known, x.Name)
				}
			}
			if x, ok := s.IDP(o + "7"); ok {
				known = append(known, x.Name)
			}
		}
		return fmt.Sprint(known)
	}
	all := "[org 10 user 10 project 102 app 102 project 103 app 103 idp 10 org 20 user 20 project 202 app 202 project 203 app 203 idp 20]"
	want := func(what, want string) {
		t.Helper()
		if got := state(); got != want {
			t.Errorf("%s:\n got %s\nwant %s", what, got, want)
		}
	}
	e("org.removed", "org", "10", 9, 10, "10", nil)
	e("project.removed", "project", "202", 9, 10, "20", nil)
	e("project.application.removed", "project", "203", 9, 10, "20", map[string]any{"appId": "2035"})
	e("org.idp.removed", "org", "20", 9, 10, "20", map[string]any{"id": "207"})
	want("in the transaction", all)
	e("org.added", "org", "30", 1, 9000, "30", nil)
	left := "[org 20 user 20 project 203]"
	want("long after", left)
	mustSync(t, s)
	if bytes.Contains(mustRead(t, path), []byte("user 10")) || !bytes.Contains(mustRead(t, path), []byte("user 20")) {
		t.Error("the file holds names of a removed organisation, or lacks others")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, Options{})
	defer s.Close()
	want("after a restart", left)
	e("user.human.added", "user", "101", 1, 0, "10", map[string]any{"userName": "user 10"})
	want("an old event came late", left)
}
