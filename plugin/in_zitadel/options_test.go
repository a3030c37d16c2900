package main_test

import (
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/plugin/plugintest"
)

// Fluent Bit keeps some properties for itself, and then a plugin never sees them. The C
// host keeps none, so only the real one can show it.
func TestFluentBit_EveryOptionReachesTheInput(t *testing.T) {
	t.Parallel()
	plugintest.WantOptions(t, "in_zitadel", `
pipeline:
  inputs:
    - name: zitadel
      threaded: off
      OPTIONS
  outputs:
    - name: "null"
      match: '*'
`, config.Input.Options)
}
