package detections_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/zitadel-siem/zitadel-siem/internal/detect"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// TestTheDocumentedFieldsOfAnAlertAreThoseOfTheCode: of an alert in which every field is set.
func TestTheDocumentedFieldsOfAnAlertAreThoseOfTheCode(t *testing.T) {
	dir := t.TempDir()
	rule := `title: T
id: "1"
name: part
logsource: {product: zitadel, service: audit}
detection: {a: {event.action: x}, condition: a}
---
title: C
id: "2"
level: high
date: 2026-01-01
description: D
respond: R
references: [https://example.com]
tags: [attack.impact, attack.t1110, attack.t1110.001]
correlation: {type: event_count, rules: [part], group-by: [user.id], timespan: 1m, condition: {gte: 1}}
`
	if err := os.WriteFile(dir+"/r.yml", []byte(rule), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := detect.Load(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]bool{}
	e := detect.New(set, detect.Options{Emit: func(a *detect.Alert) {
		for _, line := range [][]byte{record.AppendJSON(nil, a), record.AppendJSON(nil, a.Clone())} {
			once := map[string]bool{}
			flat(once, "", gjson.ParseBytes(line))
			if len(fields) > 0 && !maps.Equal(once, fields) {
				t.Errorf("the copy of an alert has other fields: %s", line)
			}
			fields = once
		}
	}})
	person := `{"id":"1","name":"n","email":"e","full_name":"f","target":{"id":"2","name":"m"},"effective":{"id":"3","name":"o"}}`
	e.Record([]byte(`{"@timestamp":"2026-01-01T00:00:00Z","event":{"id":"i","action":"x"},"user":`+person+`,"source":{"ip":"192.0.2.1","address":"a"},"user_agent":{"original":"u"},`+
		`"organization":{"id":"4","name":"p"},"zitadel":{"instance":"demo","actor":{"system":"LOGIN"}}}`), began)

	head, err := os.ReadFile("docs_head.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(head), "<!-- alert -->")
	table, _, _ = strings.Cut(table, "<!-- /alert -->")
	documented := map[string]bool{}
	for line := range strings.Lines(table) {
		cell, _, _ := strings.Cut(strings.TrimPrefix(line, "|"), "|")
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cell, -1) {
			documented[m[1]] = true
		}
	}
	got, want := slices.Sorted(maps.Keys(documented)), slices.Sorted(maps.Keys(fields))
	if len(want) < 40 || !slices.Equal(got, want) {
		t.Errorf("documented are\n%s\nbut an alert has\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
