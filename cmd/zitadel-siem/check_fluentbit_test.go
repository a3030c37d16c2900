package main

import (
	"path/filepath"
	"strings"
	"testing"
)

const lossy = `
service:
  storage.path: /tmp
pipeline:
  inputs:
    - name: zitadel
      tag: zitadel
      threaded: off
      storage.type: filesystem
      url: http://127.0.0.1:1
      token: MARKER-not-shown-0123456789
      state_path: STATE
      insecure: on
  filters:
    - name: grep
      match: '*'
      regex: severity INFO
    - name: lua
      match: '*'
      code: x
      call: f
  outputs:
    - name: stdout
      match: zitadel
`

func TestCheckSaysWhatItLookedAtAndWhatNot(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "fluent-bit.yaml", strings.Replace(lossy, "STATE", filepath.Join(t.TempDir(), "state"), 1))
	got := finish(t, program(t, nil, "check", "--offline", "--fluent-bit", path))
	wantLines(t, got.stdout, "warn  config ", "filter grep takes the tag zitadel", "note  config ", "filter lua takes the tag zitadel", "cannot be judged here",
		"1 finding above; looked at: 1 file, 1 input, 2 filters, 0 processors, 1 output", "not looked at: ")
	if got.status != 0 || strings.Contains(got.stdout, "no setting that loses events") || strings.Contains(got.stdout, "MARKER") {
		t.Error(got.status, got.stdout, got.stderr)
	}
}

func TestCheckNamesADirectory(t *testing.T) {
	t.Parallel()
	got := finish(t, program(t, nil, "check", "--fluent-bit", t.TempDir()))
	if got.status != exitUsage || !strings.Contains(got.stderr, "is a directory: use the file in it") {
		t.Error(got)
	}
}
