package payload_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact"
	"github.com/zitadel-siem/zitadel-siem/internal/redact/payload"
)

// secretKeys are names that stand for a secret wherever they are.
var secretKeys = []string{"password", "client_secret", "idToken", "Cookie", "signingKey", "code", "Crypted", "encodedHash", "DeviceCode", "nonce"}

// Whatever the payload: no panic, a second pass finds nothing, and a marker
// under a secret key does not survive, in maps, lists and JSON text.
func FuzzRedact(f *testing.F) {
	for i, e := range allRecorded(f) {
		if i%150 == 0 && e.GetPayload() != nil {
			raw, err := proto.Marshal(e.GetPayload())
			if err != nil {
				f.Fatal(err)
			}
			f.Add(e.GetType().GetType(), raw, "text", uint8(i))
		}
	}
	for i, c := range shapes {
		f.Add("org.added", []byte{}, c.in, uint8(i))
	}
	for _, s := range ordinary {
		f.Add("oidc_session.added", []byte{}, s, uint8(0))
	}
	f.Fuzz(func(t *testing.T, eventType string, raw []byte, text string, pick uint8) {
		const marker = "MARKER-0123"
		p := &structpb.Struct{}
		if err := proto.Unmarshal(raw, p); err != nil || strings.Contains(string(raw), marker) {
			p = &structpb.Struct{}
		}
		if strings.Contains(text, marker) {
			return
		}
		if p.Fields == nil {
			p.Fields = map[string]*structpb.Value{}
		}
		text = strings.ToValidUTF8(text, "?")
		key := secretKeys[int(pick)%len(secretKeys)]
		secret := &structpb.Struct{Fields: map[string]*structpb.Value{
			key:  structpb.NewStringValue(marker + text),
			text: structpb.NewStringValue(text),
		}}
		secret.Fields["x"+key] = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{
			structpb.NewStringValue(text), structpb.NewStringValue(text),
		}})
		secret.Fields[key] = structpb.NewStringValue(marker + text)
		p.Fields["fuzz-list"] = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{
			structpb.NewStringValue(text), structpb.NewStructValue(secret),
		}})
		p.Fields["fuzz-text"] = structpb.NewStringValue(`{"a":"b","` + key + `":"` + marker + `","c":1}` + text)

		payload.Redact(eventType, p)
		out := string(record.AppendJSON(nil, &record.Event{Payload: p}))
		if strings.Contains(out, marker) {
			t.Fatalf("the marker under %s survives: %s", key, out)
		}
		if n := payload.Redact(eventType, p); n != 0 {
			t.Fatalf("%d more removed the second time: before %s, after %s", n, out, record.AppendJSON(nil, &record.Event{Payload: p}))
		}

		once := redact.String(text)
		if again := redact.String(once); again != once {
			t.Fatalf("%q, then %q", once, again)
		}
		redact.String(string(raw))
	})
}
