package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestTheScriptsAreWhatTheGeneratorGives(t *testing.T) {
	for _, name := range names {
		want, err := generate("..", name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("actions-scripts/%s is not made of actions-scripts/src: make scripts", name)
		}
	}
}
