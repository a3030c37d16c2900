package enrich

import (
	"slices"
	"strings"
	"testing"

	corpus "github.com/zitadel-siem/zitadel-siem/internal/testkit/recorded"
)

// catalogue lists ZITADEL's event types and the keys of their payloads.
func catalogue(tb testing.TB) map[string]corpus.Type {
	tb.Helper()
	types := map[string]corpus.Type{}
	for _, t := range corpus.Catalogue(tb) {
		types[t.Type] = t
	}
	return types
}

// Every type and every key of the table is one of ZITADEL's, and none of the keys is a secret.
func TestTable_IsOfTheCatalogue(t *testing.T) {
	types := catalogue(t)
	for name, rs := range compiled().byType {
		typ, ok := types[name]
		if !ok {
			t.Errorf("%s is no event type", name)
			continue
		}
		keys := map[string]any{}
		for _, k := range typ.Keys {
			keys[k.Name] = k.Sensitive
		}
		for _, r := range rs {
			paths := [][]string{r.id}
			for _, v := range r.values {
				paths = append(paths, v.path)
			}
			for _, path := range paths {
				p := strings.Join(path, ".")
				if p == "" {
					continue
				}
				if sensitive, ok := keys[p]; !ok || sensitive == "secret" {
					t.Errorf("%s: key %q: in the catalogue %v, sensitive %v", name, p, ok, sensitive)
				}
			}
		}
	}
	t.Logf("%d types teach, %d of them last", len(compiled().byType), len(compiled().lasts))
}

// What changes or removes a thing that the table knows is in the table.
func TestTable_NoTeachingTypeIsMissing(t *testing.T) {
	correlate := []string{ // of the mapping to ECS and OCSF
		"auth_request.session.linked", "oidc_session.added", "saml_request.session.linked", "saml_session.added", "session.added",
		"session.user.checked", "user.human.added", "user.human.selfregistered", "user.machine.added", "user.username.changed",
	}
	for _, name := range correlate {
		if !Teaches(name) {
			t.Errorf("%s teaches nothing", name)
		}
	}
	naming := []string{"userName", "email", "displayName", "name", "entityId"}
	for name, typ := range catalogue(t) {
		switch typ.Aggregate {
		case "user", "org", "project", "group", "action", "target":
		default:
			continue
		}
		if strings.Contains(name, "externalidp") || strings.Contains(name, ".policy.") || strings.Contains(name, ".role.") {
			continue // names of other things
		}
		for _, k := range typ.Keys {
			if slices.Contains(naming, k.Name) && !Teaches(name) {
				t.Errorf("%s has %s, and teaches nothing", name, k.Name)
			}
		}
	}
}

// A request to the Events API names at most 30 types. The first list is what most is worth.
func TestTypes_FitRequests(t *testing.T) {
	lists := Types()
	seen := map[string]bool{}
	for _, list := range lists {
		if len(list) == 0 || len(list) > MaxFilter {
			t.Errorf("a list of %d types", len(list))
		}
		for _, name := range list {
			if seen[name] || !Teaches(name) {
				t.Errorf("%s: twice, or teaches nothing", name)
			}
			seen[name] = true
		}
	}
	for _, name := range []string{
		"user.human.added", "user.machine.added", "user.human.selfregistered", "user.username.changed", "user.removed", "user.human.email.changed",
		"user.human.profile.changed", "org.added", "org.changed", "org.removed", "project.added", "project.removed", "project.application.added",
	} {
		if !slices.Contains(lists[0], name) {
			t.Errorf("%s is not in the first list: %v", name, lists[0])
		}
	}
	for name := range seen {
		if strings.HasPrefix(name, "session") || strings.HasPrefix(name, "oidc_session") || strings.HasPrefix(name, "auth_request") {
			t.Errorf("%s: a session of long ago is worth nothing", name)
		}
	}
	for i, list := range lists {
		t.Logf("%d: %v", i, list)
	}
}
