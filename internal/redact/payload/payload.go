// Package payload removes the secrets from the payloads of events, in place, before any encoder
// sees them: by event type (table.txt), by key and by shape, as [redact] says.
package payload

import (
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact"
)

// Shared by all payloads; nothing changes a Value, values are replaced.
var (
	redacted = structpb.NewStringValue(redact.Redacted)
	tooDeep  = structpb.NewStringValue(record.TooDeep)
)

// Record removes the secrets of r in place and returns how many it removed.
func Record(r *record.Event) (removed int) {
	if name := redact.String(r.Editor.Name); name != r.Editor.Name {
		r.Editor.Name = name
		removed++
	}
	return removed + Redact(r.Type, r.Payload)
}

// Redact removes the secrets of the payload p of an event of the given type
// in place, and returns how many values it replaced or cut. Lists and maps
// deeper than [record.MaxDepth] are replaced by [record.TooDeep], and counted.
// p may be nil.
func Redact(eventType string, p *structpb.Struct) (removed int) {
	if p == nil {
		return 0
	}
	var w walk
	w.object(p.Fields, tableFor(eventType), open, 1)
	return w.removed
}

// mode says how the values under a key are treated.
type mode uint8

const (
	open    mode = iota // by key and by shape
	texts               // every string is a secret
	all                 // every string and number is a secret
	headers             // HTTP headers, a map or a list: secret but for harmless names
	address             // a URL: what follows the host is secret
)

// walk counts what it replaces.
type walk struct{ removed int }

func (w *walk) object(fields map[string]*structpb.Value, n *node, in mode, depth int) {
	_, jwk := fields["kty"]
	header := ""
	if in == headers {
		header = headerPair(fields)
	}
	for key, v := range fields {
		child := n.child(key)
		next := valueMode(fields, key, v, child, in)
		if header != "" {
			next = open
			if isPairValue(key) && !redact.HarmlessHeader(header) {
				next = all
			}
		}
		if jwk && in == open && privateJWK(key) {
			next = all
		}
		replaced := w.value(v, child, next, depth)
		// The key itself may be a secret, where a client chose it. Most keys
		// are too short to be one.
		if len(key) >= minKeyShape && redact.Holds(key) {
			delete(fields, key)
			fields[redact.Redacted] = redacted
			w.removed++
			continue
		}
		if replaced != v {
			fields[key] = replaced
		}
	}
}

// minKeyShape is the length from which a map's key is searched for shapes: no
// hash, JWT or key is shorter.
const minKeyShape = 20

// valueMode decides how the value v under key is treated. The table, where it
// knows the path, overrules the name.
func valueMode(fields map[string]*structpb.Value, key string, v *structpb.Value, child *node, in mode) mode {
	switch {
	case in == texts || in == all:
		return in
	case in == headers:
		if redact.HarmlessHeader(key) {
			return open
		}
		return all
	}
	c := redact.ClassOf(key)
	if child != nil && child.secret {
		if c == redact.HeaderMap && v.GetStructValue() != nil {
			return headers
		}
		if c == redact.AddressName && v.GetStringValue() != "" {
			return address
		}
		return all
	}
	if child != nil && child.known {
		return open
	}
	switch c {
	case redact.SecretName, redact.SecretPlace:
		return all
	case redact.AddressName:
		if v.GetStringValue() != "" {
			return address
		}
		return all
	case redact.SecretEnd:
		return texts
	case redact.AuthName:
		if redact.LooksLikeAuth(v.GetStringValue()) {
			return texts
		}
	case redact.SecretLeaf:
		if v.GetStructValue() == nil {
			return texts
		}
	case redact.HeaderMap:
		if v.GetStructValue() != nil || v.GetListValue() != nil {
			return headers
		}
	case redact.PairValue:
		if secretPair(fields) {
			return all
		}
	case redact.StateName:
		if authRequest(fields) {
			return texts
		}
	}
	if len(key) == 1 && key[0]|0x20 == 'v' && secretPair(fields) {
		return all
	}
	return open
}

// value returns what stands in the place of v: v itself where nothing in it
// is a secret, or where it was changed in place.
func (w *walk) value(v *structpb.Value, n *node, in mode, depth int) *structpb.Value {
	switch kind := v.GetKind().(type) {
	case *structpb.Value_StringValue:
		return w.text(v, kind.StringValue, in)
	case *structpb.Value_NumberValue:
		if in == all {
			w.removed++
			return redacted
		}
	case *structpb.Value_StructValue:
		fields := kind.StructValue.GetFields()
		if encrypted(fields) {
			w.removed++
			return redacted
		}
		if depth == record.MaxDepth {
			w.removed++
			return tooDeep
		}
		w.object(fields, n, in, depth+1)
	case *structpb.Value_ListValue:
		if depth == record.MaxDepth {
			w.removed++
			return tooDeep
		}
		values := kind.ListValue.GetValues()
		for i, element := range values {
			if replaced := w.value(element, n, in, depth+1); replaced != element {
				values[i] = replaced
			}
		}
	}
	return v // booleans and nulls tell nothing
}

func (w *walk) text(v *structpb.Value, s string, in mode) *structpb.Value {
	if s == "" || s == redact.Redacted {
		return v // an empty value says that there was none
	}
	if in == texts || in == all {
		w.removed++
		return redacted
	}
	var out string
	switch in {
	case address:
		out = redact.Address(s)
	case headers:
		out = redact.HeaderLine(s)
	default:
		out = redact.Value(s)
	}
	if out == s {
		return v
	}
	w.removed++
	if out == redact.Redacted {
		return redacted
	}
	return structpb.NewStringValue(out)
}

// encrypted reports whether fields are ZITADEL's crypto.CryptoValue
// {CryptoType, Algorithm, KeyID, Crypted}, or a part of one.
func encrypted(fields map[string]*structpb.Value) bool {
	if _, ok := fields["Crypted"]; !ok {
		return false
	}
	for _, name := range [...]string{"CryptoType", "Algorithm", "KeyID"} {
		if _, ok := fields[name]; ok {
			return true
		}
	}
	return false
}

// privateJWK names the members of a JSON Web Key that are private (RFC 7518,
// section 6).
func privateJWK(key string) bool {
	switch key {
	case "d", "p", "q", "dp", "dq", "qi", "k", "oth":
		return true
	}
	return false
}

// secretPair reports whether the "value" among fields belongs to a secret
// name, as in {"key": "clientSecret", "value": "..."}.
func secretPair(fields map[string]*structpb.Value) bool {
	for key, v := range fields {
		if isPairName(key) && redact.NamesSecret(v.GetStringValue()) {
			return true
		}
	}
	return false
}

func isPairName(key string) bool {
	if len(key) > len("field") {
		return false
	}
	switch strings.ToLower(key) {
	case "key", "name", "k", "id", "field", "type":
		return true
	}
	return false
}

func isPairValue(key string) bool {
	return key == "v" || key == "V" || len(key) <= len("values") && redact.ClassOf(key) == redact.PairValue
}

// headerPair returns the header's name in {"name": "X-Auth", "value": "..."},
// "" where fields are no such pair.
func headerPair(fields map[string]*structpb.Value) (name string) {
	value := false
	for key, v := range fields {
		switch {
		case isPairValue(key):
			value = true
		case isPairName(key) && v.GetStringValue() != "" && (name == "" || redact.HarmlessHeader(name)):
			name = v.GetStringValue() // of several the one that is no harmless header
		}
	}
	if !value {
		return ""
	}
	return name
}

// authRequest reports whether the "state" among fields is the one of an OAuth
// request, and not of a user or a process.
func authRequest(fields map[string]*structpb.Value) bool {
	for _, name := range [...]string{"redirect_uri", "redirectUri", "redirectURI", "nonce", "code_challenge", "codeChallenge", "response_type", "responseType"} {
		if _, ok := fields[name]; ok {
			return true
		}
	}
	return false
}
