package conf

import (
	"encoding/json"
	"os"
	"testing"
)

// fieldsOfECS are the fields that records in ECS can have, and their types: those of the
// index template, which is generated from the writer.
func fieldsOfECS(t *testing.T) map[string]string {
	t.Helper()
	type property struct {
		Type       string
		Properties map[string]json.RawMessage
	}
	var file struct{ Template struct{ Mappings property } }
	data, err := os.ReadFile("elasticsearch/index-template.json")
	if err == nil {
		err = json.Unmarshal(data, &file)
	}
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{}
	var walk func(path string, p property)
	walk = func(path string, p property) {
		if p.Type != "" {
			fields[path] = p.Type
		}
		for key, raw := range p.Properties {
			var inner property
			if err := json.Unmarshal(raw, &inner); err != nil {
				t.Fatal(err)
			}
			if path != "" {
				key = path + "." + key
			}
			walk(key, inner)
		}
	}
	walk("", file.Template.Mappings)
	if len(fields) < 90 || fields["source.ip"] != "ip" {
		t.Fatalf("only %d fields", len(fields))
	}
	return fields
}
