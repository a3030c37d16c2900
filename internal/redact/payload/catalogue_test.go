package payload_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact/payload"
)

// build makes a payload of an event type: every leaf key of the catalogue with
// a value of its kind. secret and plain are the markers that it holds.
func build(typ eventType) (fields map[string]any, secret, plain []string) {
	fields = map[string]any{}
	container := map[string]bool{}
	for _, key := range typ.Keys {
		for i, c := range key.Name {
			if c == '.' {
				container[key.Name[:i]] = true
				container[strings.TrimSuffix(key.Name[:i], "[]")] = true
			}
		}
	}
	for _, key := range typ.Keys {
		if container[key.Name] {
			continue
		}
		marker := "keep<" + key.Name + ">"
		if key.Sensitive == "secret" {
			marker = "marker<" + key.Name + ">"
			secret = append(secret, marker)
		} else {
			plain = append(plain, marker)
		}
		var value any = marker
		if key.Sensitive == "secret" {
			switch {
			case strings.Contains(key.GoType, "CryptoValue"):
				value = map[string]any{"CryptoType": 0, "Algorithm": "aes", "KeyID": "k", "Crypted": marker}
			case key.GoType == "http.Header":
				value = map[string]any{"Cookie": []any{marker}, "X-Any": []any{"a", marker}}
			case strings.HasPrefix(key.GoType, "map["):
				value = map[string]any{"a": marker, "b": map[string]any{"expiry": marker}, "n": 123456}
			}
		}
		if strings.HasPrefix(key.GoType, "[]") && key.GoType != "[]byte" {
			value = []any{value, map[string]any{"nested": value}}
		}
		put(fields, key.Name, value)
	}
	return fields, secret, plain
}

// put sets a path such as a.b[].c.
func put(fields map[string]any, path string, value any) {
	key, rest, nested := strings.Cut(path, ".")
	name, list := strings.CutSuffix(key, "[]")
	if !nested {
		fields[name] = value
		return
	}
	below, _ := fields[name].(map[string]any)
	if l, ok := fields[name].([]any); ok {
		below = l[0].(map[string]any)
	}
	if below == nil {
		below = map[string]any{}
		fields[name] = below
		if list {
			fields[name] = []any{below}
		}
	}
	put(below, rest, value)
}

func redactedJSON(tb testing.TB, eventType string, fields map[string]any) (string, int) {
	tb.Helper()
	p, err := structpb.NewStruct(fields)
	if err != nil {
		tb.Fatal(err)
	}
	removed := payload.Redact(eventType, p)
	return string(record.AppendJSON(nil, &record.Event{Payload: p})), removed
}

// For every event type: each secret key loses its value, each other key keeps
// it.
func TestCatalogue_SecretsGoAndTheRestStays(t *testing.T) {
	secrets, kept := 0, 0
	for _, typ := range catalogue(t) {
		fields, secret, plain := build(typ)
		out, removed := redactedJSON(t, typ.Type, fields)
		for _, marker := range secret {
			if strings.Contains(out, marker) {
				t.Errorf("%s: %s survives: %s", typ.Type, marker, out)
			}
		}
		if removed < len(secret) {
			t.Errorf("%s: %d removed, want at least %d", typ.Type, removed, len(secret))
		}
		for _, marker := range plain {
			if !strings.Contains(out, marker) {
				t.Errorf("%s: %s is gone: %s", typ.Type, marker, out)
			}
		}
		for _, key := range typ.Keys {
			if key.Sensitive == "secret" {
				secrets--
			}
		}
		secrets += len(secret)
		kept += len(plain)
	}
	if secrets != 0 || kept < 2000 {
		t.Errorf("%d secrets too few looked at, and %d other keys", -secrets, kept)
	}
}

// ambiguous are the secret names that are ordinary words elsewhere: by the
// table alone, not in an event type that nobody knows.
var ambiguous = map[string]string{
	"key":      "a name in many types",
	"value":    "a flag or a text in many types",
	"metadata": "SAML metadata is public",
	"state":    "the state of anything; secret beside redirect_uri, nonce and the like",
}

// The same secrets in an event type that the table does not know, deep in
// lists of objects: the rule by key takes them.
func TestUnknownType_SecretsGoByKey(t *testing.T) {
	for _, typ := range catalogue(t) {
		fields, secret, _ := build(typ)
		var v any = fields
		for range 10 {
			v = map[string]any{"list": []any{1, map[string]any{"inner": v}}}
		}
		out, _ := redactedJSON(t, "future.type.added", v.(map[string]any))
		for _, marker := range secret {
			path := strings.TrimSuffix(strings.TrimPrefix(marker, "marker<"), ">")
			last := path[strings.LastIndexByte(path, '.')+1:]
			if _, ok := ambiguous[last]; ok && strings.Contains(out, marker) {
				continue
			}
			if strings.Contains(out, marker) {
				t.Errorf("%s: %s survives in an unknown type: %s", typ.Type, marker, out)
			}
		}
	}
}

// Non-secret names of the catalogue that the rule by key takes in unknown
// types: booleans and containers in the known ones.
func TestUnknownType_OtherKeysStay(t *testing.T) {
	deliberate := map[string]bool{
		"code_challenge.Method": true, // under the name of a secret
		"privateKey.expiry":     true,
		"need_refresh_token":    true, // a boolean there: those stay
		"NeedRefreshToken":      true,
		"allowUsernamePassword": true,
	}
	for _, typ := range catalogue(t) {
		fields, _, plain := build(typ)
		out, _ := redactedJSON(t, "future.type.added", fields)
		for _, marker := range plain {
			path := strings.TrimSuffix(strings.TrimPrefix(marker, "keep<"), ">")
			if !strings.Contains(out, marker) && !deliberate[path] {
				t.Errorf("%s: %s is gone in an unknown type: %s", typ.Type, marker, out)
			}
		}
	}
}
