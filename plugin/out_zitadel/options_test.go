package main_test

import (
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/plugin/plugintest"
)

// As TestFluentBit_EveryOptionReachesTheInput.
func TestFluentBit_EveryOptionReachesTheOutput(t *testing.T) {
	t.Parallel()
	plugintest.WantOptions(t, "out_zitadel", `
pipeline:
  inputs:
    - name: dummy
      tag: zitadel
  outputs:
    - name: zitadel
      match: '*'
      workers: 1
      OPTIONS
`, config.Output.Options)
}
