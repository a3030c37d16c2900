// zitadel-siem-demo shows audit events and logins flowing through the real pipeline.
// `make run` builds and runs it. It is not shipped.
//
// Exit status: 0 every event arrived once, 1 one did not or the pipeline failed, 2 the
// command line is wrong.
package main

import (
	"os"

	"github.com/zitadel-siem/zitadel-siem/internal/demo"
)

func main() { os.Exit(demo.Main(os.Args[1:])) }
