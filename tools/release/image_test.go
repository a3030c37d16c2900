package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Go's reader takes a tar without its end, and others do not.
func TestTheLayerIsAWholeTar(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"zitadel-siem", "LICENSE", "NOTICE"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	layer, err := imageOf{date: time.Unix(0, 0)}.layer(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(layer)%512 != 0 || !bytes.HasSuffix(layer, make([]byte, 1024)) {
		t.Errorf("a layer of %d bytes has no end", len(layer))
	}
}
