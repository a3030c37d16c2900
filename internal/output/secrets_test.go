package output

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tinylib/msgp/msgp"

	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
)

const marker = "V3ryS3cretMarker!"

// A filter of the user's may have left parts of a line beside it, in any shape.
func TestLaw6_NoSecretStandsBesideTheLine(t *testing.T) {
	official := `authError/none, userName/alice, request/{"method":"POST","form":{"password":["` + marker + `"]},"postForm":{"password":["` + marker +
		`"]},"header":{"Cookie":["session=` + marker + `"],"User-Agent":["curl"]}}`
	quoted, _ := json.Marshal(map[string]string{"message": official, "logLevel": "info"})
	record, _ := json.Marshal(string(quoted))
	cut := official[:strings.Index(official, marker)+len(marker)]
	for name, beside := range map[string]any{
		"official": official, "record": string(quoted), "line": `msg="log record emitted" record=` + string(record), "cut": cut,
		"password": marker, "Cookie": "session=" + marker, "password_list": []any{marker, int64(1)},
		"parsed": map[string]any{"request": map[string]any{
			"form":           map[string]any{"password": []any{marker}, "x": marker},
			"postForm":       map[string]any{"any": marker},
			"form_data":      map[string]any{"password": marker},
			"header":         map[string]any{"Cookie": []any{"s=" + marker}, "X-Internal": marker, "User-Agent": "curl"},
			"requestHeaders": map[string]any{"Authorization": []any{marker}, "x-odd": []any{marker}},
		}},
		"list":                           []any{map[string]any{"password": marker}, official},
		"header":                         "Authorization: Bearer " + marker,
		marker + "=x&password=" + marker: "a key", // keys are text too
	} {
		if name[0] == 'V' {
			name = "password=" + name
		}
		w := newWorld(t, forwardtest.Options{}, nil)
		body := map[string]any{"log": "x", name: beside, "kept": "yes"}
		w.flush(t, OK, appendEvent(t, nil, map[string]any{"token": marker}, body))
		got, err := json.Marshal(w.Records()[0].Body)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(got), marker) || !strings.Contains(string(got), `"kept":"yes"`) {
			t.Errorf("%s: %s", name, got)
		}
		if name == "parsed" && !strings.Contains(string(got), "curl") {
			t.Errorf("a harmless header went: %s", got)
		}
	}
}

func TestLaw6_WhatCannotBeReadGoes(t *testing.T) {
	body := msgp.AppendMapHeader(nil, 4)
	body = msgp.AppendString(msgp.AppendString(body, "log"), "x")
	body = append(msgp.AppendString(body, "extension"), 0xc7, byte(len(marker)), 42)
	body = append(body, marker...)
	body = eventTime8(msgp.AppendString(body, "at"), 7, 8)
	body = msgp.AppendString(body, "deep")
	for range 100 {
		body = msgp.AppendArrayHeader(body, 1)
	}
	body = msgp.AppendString(body, "password="+marker)
	w := newWorld(t, forwardtest.Options{}, nil)
	chunk := append(eventTime8(msgp.AppendArrayHeader(nil, 2), 5, 0), body...)
	w.flush(t, OK, chunk)
	got, err := json.Marshal(w.Records()[0].Body)
	if err != nil || strings.Contains(string(got), marker) {
		t.Errorf("%s %v", got, err)
	}
}
