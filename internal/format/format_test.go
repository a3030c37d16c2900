package format_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

func open(t *testing.T, s config.FormatSettings) *format.Format {
	t.Helper()
	f, err := format.Open(s)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func event(typ string) *record.Event {
	return &record.Event{
		Key:  record.Key{Instance: "demo", AggregateType: "user", AggregateID: "1", Sequence: 2},
		Time: time.Date(2026, 7, 10, 12, 0, 0, 0, time.UTC), Read: time.Date(2026, 7, 10, 12, 0, 1, 0, time.UTC),
		Type: typ, Editor: record.Editor{ID: "3", Name: "Ann"}, Source: record.SourceEventsAPI,
	}
}

func TestFormat_RawIsWhatItWas(t *testing.T) {
	e := event("user.locked")
	for name, f := range map[string]*format.Format{
		"settings": open(t, config.FormatSettings{Format: "raw", Tier: "noise"}), "without settings": format.Raw(),
	} {
		if got, want := string(f.Lines()(nil, e)), string(record.AppendLine(nil, e)); got != want {
			t.Errorf("%s: %s", name, got)
		}
		if got, want := string(f.Msgpack()(nil, e)), string(record.AppendMsgpack(nil, e)); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestFormat_EachWritesTheEvent(t *testing.T) {
	for name, want := range map[string]string{
		"ecs": `"action":"user.locked"`, "ocsf": `"class_uid":3001`, "cef": "CEF:0|ZITADEL|", "leef": "LEEF:2.0|ZITADEL|",
	} {
		f := open(t, config.FormatSettings{Format: name, Tier: "useful", OCSFVersion: config.OCSF18})
		line := string(f.Lines()(nil, event("user.locked")))
		if !strings.Contains(line, want) || strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
			t.Errorf("%s: %s", name, line)
		}
		if json.Valid([]byte(line)) != (name == "ecs" || name == "ocsf") {
			t.Errorf("%s: %s", name, line)
		}
		if packed := string(f.Msgpack()(nil, event("user.locked"))); !strings.Contains(packed, "user.locked") {
			t.Errorf("%s: %q", name, packed)
		}
	}
}

// Law 8: what the tier leaves out is counted, and so is a type that nobody knows.
func TestLaw8_WhatTheTierLeavesOutIsCounted(t *testing.T) {
	for tier, want := range map[string][]string{
		"core":   {"user.locked"},
		"useful": {"user.locked", "user.human.signed.out.of.this.world", "user.human.password.check.succeeded"},
		"noise":  {"user.locked", "user.human.signed.out.of.this.world", "user.human.password.check.succeeded", "user.human.mfa.otp.sms.code.sent"},
	} {
		for _, name := range []string{"raw", "ecs"} {
			f := open(t, config.FormatSettings{Format: name, Tier: tier})
			encode := f.Lines()
			var got []string
			all := []string{"user.locked", "user.human.signed.out.of.this.world", "user.human.password.check.succeeded", "user.human.mfa.otp.sms.code.sent"}
			for _, typ := range all {
				if len(encode(nil, event(typ))) > 0 {
					got = append(got, typ)
				}
			}
			if strings.Join(got, " ") != strings.Join(want, " ") || int(f.LeftOut.Load()) != len(all)-len(want) {
				t.Errorf("%s %s: %v, %d left out", name, tier, got, f.LeftOut.Load())
			}
			if f.Unknown.Load() != 1 && !(name == "raw" && tier == "noise") {
				t.Errorf("%s %s: %d unknown", name, tier, f.Unknown.Load())
			}
		}
	}
}
