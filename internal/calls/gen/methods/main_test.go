package main

import (
	"bytes"
	"os"
	"testing"
)

// The list is what the generator makes of the descriptors.
func TestTheListIsThatOfTheDescriptors(t *testing.T) {
	list, err := os.ReadFile("../../methods.txt")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(list, methods()) {
		t.Error("methods.txt is not what gen makes: run go generate ./internal/calls")
	}
}
