// Package payload removes the secrets from the payloads of events, in place, before they are encoded.
//
// # What it promises
//
// After [Redact], no value of a payload contains what ZITADEL treats as a secret: password and secret
// hashes, encrypted values, codes, tokens, cookies, keys, nonces and challenges, free metadata values,
// action scripts, and the part behind the host in callback URLs. Removed values are replaced by
// [redact.Redacted]. The keys around them, empty values, booleans, and the shape of lists and maps are
// kept. Three rules work together, at any depth:
//
//   - by event type: table.txt lists the secret paths of every event type in ZITADEL's source
//     (560 types), see gen;
//   - by key, for types and fields that the table does not have: password, clientSecret,
//     client_secret, idToken, code, nonce and so on, in any case, with any separators and final
//     digits; names that contain "password" or "secret" (passwordValue, newPasswordRepeat), unless
//     they end in a property (passwordPolicy, secretId); HTTP headers other than a short list of
//     harmless ones, in a map, a list of pairs or a list of lines; a "value" beside a "key", "name",
//     "id", "field" or "type" that is such a name; objects of the form {CryptoType, Algorithm, KeyID,
//     Crypted} under any key; the private members of a JWK;
//   - by shape, in every string: see package redact. Only the secret part of the string is replaced,
//     but a string that is itself JSON, or base64 of it, is replaced as a whole.
//
// A type that ZITADEL adds later is redacted by key and by shape.
//
// # Its limits
//
//   - Personal data is kept: an audit trail needs names, e-mail addresses, phone numbers, IP addresses
//     and user agents.
//   - A secret of no known shape under a harmless key is kept, such as a password that a user typed
//     as the user name.
//   - Booleans are kept, and so are numbers under keys that name a count (maxPassword), or that only
//     end in token, key or the like (maxToken).
//   - A callback URL (target, SMTP and SMS provider) keeps its scheme, host and port, which tell where
//     data went. A credential in the host name is kept.
//   - Of the other fields of a record, [Record] checks only the display name of the editor, by shape.
//     ZITADEL or the operator sets type, ids, sequence, times, resource owner and instance. An API
//     client may choose the id of an aggregate, but it is a part of the record's identity.
package payload

import (
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact"
)

// All payloads share these. That is safe because a Value is replaced and never changed.
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
	headers             // HTTP headers, a map or a list: secret except for harmless names
	address             // a URL: the part behind the host is secret
)

// walk goes through a payload and counts the values that it replaces.
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
		// A key that a client has chosen may be a secret itself. Most keys are too short
		// for that.
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

// minKeyShape is the least length of a key that is searched for secrets: hashes, JWTs and keys
// are longer.
const minKeyShape = 20

// valueMode decides how the value v under key is treated. If the table has the path, it
// overrules the name.
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

// value returns the replacement of v. It is v itself if nothing in it is a secret, or if it was
// changed in place.
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
	return v // booleans and nulls are not secrets
}

func (w *walk) text(v *structpb.Value, s string, in mode) *structpb.Value {
	if s == "" || s == redact.Redacted {
		return v // an empty value tells that there was none
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

// privateJWK reports whether a member of a JSON Web Key is private (RFC 7518, section 6).
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

// headerPair returns the header's name in {"name": "X-Auth", "value": "..."}, or "" if fields are
// not such a pair.
func headerPair(fields map[string]*structpb.Value) (name string) {
	value := false
	for key, v := range fields {
		switch {
		case isPairValue(key):
			value = true
		case isPairName(key) && v.GetStringValue() != "" && (name == "" || redact.HarmlessHeader(name)):
			name = v.GetStringValue() // of several, one that is not a harmless header
		}
	}
	if !value {
		return ""
	}
	return name
}

// authRequest reports whether the "state" among fields is that of an OAuth request, and not that of
// a user or a process.
func authRequest(fields map[string]*structpb.Value) bool {
	for _, name := range [...]string{"redirect_uri", "redirectUri", "redirectURI", "nonce", "code_challenge", "codeChallenge", "response_type", "responseType"} {
		if _, ok := fields[name]; ok {
			return true
		}
	}
	return false
}
