package main

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The table that is built in is the one that the catalogue gives.
func TestTable_IsUpToDate(t *testing.T) {
	want, err := makeTable("../../redact/payload/testdata/events.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../table.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("run go generate ./internal/pseudonym: %s", diff)
	}
}
