package recorded

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Type is an event type of the catalogue, which was made from ZITADEL's source.
type Type struct {
	Type      string
	Aggregate string // its type
	Keys      []Key
}

// Key is a key of a payload: a path such as a.b[].c, its type in Go, and whether it is
// "pii" or "secret".
type Key struct {
	Name      string
	GoType    string `json:"go_type"`
	Sensitive any    // a text, or null
}

// Catalogue returns the 560 event types with the keys of their payloads.
func Catalogue(tb testing.TB) (types []Type) {
	tb.Helper()
	if err := json.Unmarshal(Unzip(tb, file(tb, "internal/redact/payload/testdata/events.json.gz")), &types); err != nil {
		tb.Fatal(err)
	}
	if len(types) != 560 {
		tb.Fatalf("the catalogue has %d types, want 560", len(types))
	}
	return types
}

// PersonalPaths returns the personal keys of every type, by the catalogue and not by the
// code under test. Lists have no mark in a path: a.b[].c is a.b.c.
func PersonalPaths(tb testing.TB) map[string]map[string]bool {
	tb.Helper()
	paths := map[string]map[string]bool{}
	for _, typ := range Catalogue(tb) {
		paths[typ.Type] = map[string]bool{}
		for _, k := range typ.Keys {
			if k.Sensitive == "pii" {
				paths[typ.Type][strings.ReplaceAll(k.Name, "[]", "")] = true
			}
		}
	}
	return paths
}

// file returns the path of a file of this module, wherever the test runs.
func file(tb testing.TB, name string) string {
	tb.Helper()
	for dir := "."; ; dir = filepath.Join("..", dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, filepath.FromSlash(name))
		}
		if len(dir) > 100 {
			tb.Fatal("no go.mod above this directory")
		}
	}
}
