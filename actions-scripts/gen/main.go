// Command gen writes the scripts that users paste into ZITADEL. Each is the line with its
// version, its own part in src, and src/message.js, which both share.
//
//	go run ./gen    in actions-scripts, or make scripts
package main

import (
	"fmt"
	"os"
	"path/filepath"

	actionsscripts "github.com/zitadel-siem/zitadel-siem/actions-scripts"
)

// names are the files that are written, and their own parts in src.
var names = []string{"post_auth_log.js", "post_auth_webhook.js"}

func main() {
	for _, name := range names {
		script, err := generate(".", name)
		if err == nil {
			err = os.WriteFile(name, script, 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "gen:", err)
			os.Exit(1)
		}
	}
}

// generate returns the script with this name; dir is actions-scripts.
func generate(dir, name string) ([]byte, error) {
	own, err := os.ReadFile(filepath.Join(dir, "src", name))
	if err != nil {
		return nil, err
	}
	shared, err := os.ReadFile(filepath.Join(dir, "src", "message.js"))
	if err != nil {
		return nil, err
	}
	return []byte(actionsscripts.WithSeal(actionsscripts.Version, string(own)+"\n"+string(shared))), nil
}
