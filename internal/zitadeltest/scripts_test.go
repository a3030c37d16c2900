package zitadeltest

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The answers follow ZITADEL's source (internal/command/org_action.go, org_flow.go,
// internal/query/action_flow.go), and those that a run of setup meets were compared with
// a real server.
func TestScriptsAndFlowsAnswerAsZITADELDoes(t *testing.T) {
	srv := start(t, NewStore(), Options{})
	srv.AddToken("owner", Owner, time.Time{})
	srv.AddToken("org-owner", OrgOwner, time.Time{})
	second := srv.Orgs().Add("Second")
	defer http.DefaultClient.CloseIdleConnections()
	ask := func(token, org, verb, path, body string) (int, map[string]any) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), verb, srv.URL()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		if org != "" {
			req.Header.Set("x-zitadel-orgid", org)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		var answer map[string]any
		if err := json.Unmarshal(b, &answer); err != nil {
			t.Fatalf("%s: %s", err, b)
		}
		return resp.StatusCode, answer
	}
	const actions, external = "/management/v1/actions", "/management/v1/flows/1/trigger/1"
	create := func(org, name string) string {
		_, answer := ask("owner", org, http.MethodPost, actions, `{"name":"`+name+`","script":"x"}`)
		id, _ := answer["id"].(string)
		return id
	}
	a, b := create("", "a"), create("", "b")
	create(second, "a") // names are unique in an organization only
	for _, c := range []struct {
		token, org, verb, path, body string
		status                       int
		says                         string
	}{
		{"owner", "", http.MethodPost, actions, `{"name":"a","script":"x"}`, 409, "AlreadyExists"},
		{"owner", "", http.MethodPost, actions, `{"name":"","script":"x"}`, 400, "Name"},
		{"owner", "", http.MethodPost, actions, `{"name":"c"}`, 400, "Script"},
		{"owner", "", http.MethodPost, actions, `{"name":"c","script":"` + strings.Repeat("x", 40001) + `"}`, 400, "40000 bytes"},
		{"owner", "", http.MethodPost, actions, `{"name":"c","script":"x","timeout":"21s"}`, 400, "Timeout"},
		{"owner", "", http.MethodPut, actions + "/" + a, `{"name":"a","script":"x","timeout":"20s"}`, 400, "ACTION-dg4t2"}, // 0 s is 20 s
		{"owner", "", http.MethodPut, actions + "/" + a, `{"name":"b","script":"x"}`, 409, "AlreadyExists"},
		{"owner", second, http.MethodPut, actions + "/" + a, `{"name":"a","script":"y"}`, 404, "COMMAND-Sfg2t"},
		{"owner", "", http.MethodPost, actions + "/" + a + "/_reactivate", `{}`, 400, "COMMAND-J53zh"},
		{"owner", "", http.MethodPost, external, `{"actionIds":["` + a + `","` + b + `"]}`, 200, ""},
		{"owner", "", http.MethodPost, external, `{"actionIds":["` + a + `","` + b + `"]}`, 400, "COMMAND-Nfh52"},
		{"owner", "", http.MethodPost, external, `{"actionIds":["` + a + `","` + a + `"]}`, 400, "COMMAND-dg422"},
		{"owner", "", http.MethodPost, external, `{"actionIds":["1"]}`, 400, "COMMAND-dg422"},
		{"owner", second, http.MethodPost, external, `{"actionIds":["` + a + `"]}`, 400, "COMMAND-dg422"},
		{"owner", "", http.MethodPost, "/management/v1/flows/9/trigger/1", `{}`, 400, "COMMAND-Dfhj5"},
		{"owner", "", http.MethodPost, "/management/v1/flows/1/trigger/6", `{}`, 400, "COMMAND-Dfgh6"},
		{"owner", "123", http.MethodGet, "/management/v1/flows/1", "", 403, "AUTH-Bs7Ds"},
		{"org-owner", second, http.MethodGet, "/management/v1/flows/1", "", 404, "membership not found"},
		{"org-owner", "", http.MethodPost, "/admin/v1/orgs/_search", `{}`, 403, "AUTH-5mWD2"},
		{srv.Token(), second, http.MethodGet, "/management/v1/flows/1", "", 200, ""},
		{srv.Token(), second, http.MethodDelete, actions + "/" + a, "", 403, "AUTH-5mWD2"},
		{"org-owner", "", http.MethodDelete, actions + "/" + a, "", 200, ""},
		{"org-owner", "", http.MethodDelete, actions + "/" + a, "", 404, "COMMAND-Dgh4h"},
	} {
		status, answer := ask(c.token, c.org, c.verb, c.path, c.body)
		if message, _ := answer["message"].(string); status != c.status || !strings.Contains(message, c.says) {
			t.Errorf("%s %s %.80s: %d %v, want %d %s", c.verb, c.path, c.body, status, answer, c.status, c.says)
		}
	}
	// A deleted action leaves the flows; the others keep their order.
	if got := srv.Orgs().Flow(srv.Orgs().First(), "1", "1"); len(got) != 1 || got[0] != "b" {
		t.Error(got)
	}
}
