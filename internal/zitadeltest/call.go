package zitadeltest

import (
	"encoding/json"
	"time"
)

// Call is a call of ZITADEL's API, as request and response executions see it.
type Call struct {
	Method, UserID, OrgID string
	ForwardedFor          string
	Request               map[string]any
	Changed               time.Time // date of the change that the response names
}

// Call sends the request execution of a call, or its response execution, and reports whether
// it was answered with 200. ZITADEL sends the first before it handles the call, and the
// second only if that succeeds. It passes on five headers, and no user agent.
func (t *Target) Call(c Call, response bool) bool {
	headers := map[string]any{"Content-Type": []string{"application/json"}, "Host": []string{"zitadel.example.com"}}
	if c.ForwardedFor != "" {
		headers["X-Forwarded-For"] = []string{c.ForwardedFor}
	}
	info := map[string]any{"fullMethod": c.Method, "instanceID": "1", "orgID": c.OrgID, "userID": c.UserID, "request": c.Request, "headers": headers}
	if response {
		info["response"] = map[string]any{"details": map[string]any{"sequence": "2", "changeDate": c.Changed.UTC().Format(time.RFC3339Nano), "resourceOwner": c.OrgID}}
	}
	body, err := json.Marshal(info)
	if err != nil {
		panic("zitadeltest: call of " + c.Method + ": " + err.Error())
	}
	return t.Post(body)
}
