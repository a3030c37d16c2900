// Package detections holds the Sigma rules for ZITADEL's audit trail.
package detections

import (
	"embed"
	"sync"

	"github.com/zitadel-siem/zitadel-siem/internal/detect"
)

//go:embed *.yml
var files embed.FS

var loaded = sync.OnceValues(func() (*detect.Set, error) { return detect.Load(files) })

// Rules returns the built-in rules.
func Rules() (*detect.Set, error) { return loaded() }
