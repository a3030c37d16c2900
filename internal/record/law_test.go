package record

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"
)

// hostile is what somebody may choose as a user name, an id or a payload key.
var hostile = []string{
	`","event":{"id":"forged"},"x":"`, "a\nb", "a\x00b", `\`, `"`, "a/b/7", "../..", "event.id", "\xff\xfe", "\u202eevil", "]}\n{\"event\":",
}

// Law 7: what fills one field never decides another.
func TestLaw7HostileFieldsStayInTheirPlace(t *testing.T) {
	read := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for _, h := range hostile {
		clean := strings.ToValidUTF8(h, "\uFFFD")
		r := Event{
			Key:  Key{Instance: "lab", AggregateType: "user", AggregateID: h, Sequence: 7},
			Time: read.Add(-time.Second), Read: read, Type: h, LocalizedType: h, ResourceOwner: h,
			Editor:  Editor{ID: h, Name: h, Service: h},
			Payload: &structpb.Struct{Fields: map[string]*structpb.Value{h: structpb.NewStringValue(h)}},
			Source:  SourceEventsAPI,
		}
		line := AppendJSON(nil, &r)
		if strings.ContainsAny(string(line), "\n\r\x00") {
			t.Errorf("%q: the line is broken: %q", h, line)
		}
		var got struct {
			Event struct {
				ID       string `json:"id"`
				Type     string `json:"type"`
				Sequence uint64 `json:"sequence"`
				Time     string `json:"time"`
			} `json:"event"`
			Aggregate map[string]string `json:"aggregate"`
			Editor    map[string]string `json:"editor"`
			Payload   map[string]string `json:"payload"`
			Instance  string            `json:"instance"`
			Source    string            `json:"source"`
		}
		if err := json.Unmarshal(line, &got); err != nil {
			t.Errorf("%q: %v", h, err)
			continue
		}
		if got.Event.ID != "lab/user/"+clean+"/7" || got.Event.Sequence != 7 || got.Event.Time != "2026-11-22T09:59:59.000000Z" {
			t.Errorf("%q forged the event: %+v", h, got.Event)
		}
		if got.Instance != "lab" || got.Source != SourceEventsAPI || got.Aggregate["type"] != "user" || got.Aggregate["id"] != clean {
			t.Errorf("%q forged another field: %s", h, line)
		}
		if got.Editor["id"] != clean || got.Editor["name"] != clean || got.Payload[clean] != clean || len(got.Payload) != 1 {
			t.Errorf("%q does not come out as it went in: %s", h, line)
		}
	}
}

// Law 7: no aggregate id makes one event's id that of another.
func TestLaw7NoTwoKeysHaveOneID(t *testing.T) {
	seen := make(map[string]Key)
	for _, id := range append(hostile, "a", "a/1", "a/1/2", "1", "", "/") {
		for _, typ := range []string{"user", "org"} {
			for seq := range uint64(3) {
				k := Key{Instance: "lab", AggregateType: typ, AggregateID: id, Sequence: seq}
				if other, taken := seen[k.ID()]; taken {
					t.Errorf("%+v and %+v are both %q", k, other, k.ID())
				}
				seen[k.ID()] = k
			}
		}
	}
}
