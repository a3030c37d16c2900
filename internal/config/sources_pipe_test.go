//go:build !windows

package config

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Opening a pipe waits until somebody writes to it: a reload, and the end of the process, would wait too.
func TestReadSources_APipeInSourcesDirIsRefused(t *testing.T) {
	dir := t.TempDir()
	path, sources := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "sources")
	if err := os.Mkdir(sources, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(sources, "one.yaml"), 0o600); err != nil {
		t.Skip(err)
	}
	if err := os.WriteFile(path, []byte("sources_dir: "+sources+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSources(path, os.LookupEnv, ParseOptions{}); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Error(err)
	}
}
