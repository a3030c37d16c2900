package zitadeltest

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// recordedTargets are requests to the recorded server.
var recordedTargets = []string{
	`{"name":"webhook-json","endpoint":"http://127.0.0.1:19100/webhook-json/event","timeout":"10s","payloadType":"PAYLOAD_TYPE_JSON","restWebhook":{"interruptOnError":false}}`,
	`{"name":"async-json","endpoint":"http://127.0.0.1:19100/async-json/event","timeout":"10s","payloadType":"PAYLOAD_TYPE_JSON","restAsync":{}}`,
	`{"name":"call-json","endpoint":"http://127.0.0.1:19100/call-json/x","timeout":"10s","payloadType":"PAYLOAD_TYPE_JSON","restCall":{"interruptOnError":false}}`,
}

func TestTargetsAreMadeAsRecorded(t *testing.T) {
	srv := start(t, NewStore(), Options{})
	srv.AddToken("owner", Owner, time.Time{})
	ask := func(verb, path, body string) (int, map[string]any) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), verb, srv.URL()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer owner")
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		defer http.DefaultClient.CloseIdleConnections()
		b, _ := io.ReadAll(resp.Body)
		var answer map[string]any
		if err := json.Unmarshal(b, &answer); err != nil {
			t.Fatalf("%s: %s", err, b)
		}
		return resp.StatusCode, answer
	}
	var ids []string
	for _, body := range recordedTargets {
		status, answer := ask(http.MethodPost, "/v2/actions/targets", body)
		fields := slices.Sorted(maps.Keys(answer))
		id, _ := answer["id"].(string)
		key, _ := answer["signingKey"].(string)
		if status != http.StatusOK || !slices.Equal(fields, []string{"creationDate", "id", "signingKey"}) || len(id) != len("400713304709794854") ||
			len(key) != len("S1Tr4d7TxPZoL6Ou2GlvwEHWDbGYHMFOAXul") {
			t.Errorf("%d %v", status, fields)
		}
		ids = append(ids, id)
	}
	if status, answer := ask(http.MethodPost, "/v2/actions/targets", recordedTargets[0]); status != http.StatusConflict || answer["code"] != 6.0 {
		t.Errorf("%d %v", status, answer)
	}
	if status, answer := ask(http.MethodPut, "/v2/actions/executions", `{"condition":{"event":{"group":"user.human"}},"targets":["`+ids[0]+`"]}`); status != http.StatusOK || answer["setDate"] == nil {
		t.Errorf("%d %v", status, answer)
	}
	_, answer := ask(http.MethodPost, "/v2/actions/executions/search", `{}`)
	if got, _ := json.Marshal(answer["executions"].([]any)[0].(map[string]any)["condition"]); string(got) != `{"event":{"group":"user.human"}}` {
		t.Error(string(got))
	}
	// A target that goes takes itself out of executions, and one without targets is not shown.
	if status, _ := ask(http.MethodDelete, "/v2/actions/targets/"+ids[0], ""); status != http.StatusOK || len(srv.Actions().Executions()) != 0 {
		t.Errorf("%d %v", status, srv.Actions().Executions())
	}
	for _, body := range []string{`{"condition":{"event":{"event":"no.such"}},"targets":[]}`, `{"condition":{"event":{"group":"user.*"}},"targets":[]}`, `{"condition":{"event":{"all":true}},"targets":["1"]}`} {
		if status, answer := ask(http.MethodPut, "/v2/actions/executions", body); status != http.StatusNotFound {
			t.Errorf("%s: %d %v", body, status, answer)
		}
	}
}
