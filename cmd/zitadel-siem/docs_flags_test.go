package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// flagsTable has the flags of each command that are not options of a table.
func flagsTable() string {
	var b strings.Builder
	b.WriteString("| command | flag | meaning |\n|---|---|---|\n")
	for _, command := range kong.Must(&commands{}).Model.Leaves(false) {
		path := command.Name
		if parent := command.Parent; parent.Type == kong.CommandNode {
			path = parent.Name
			if command != parent.DefaultCmd {
				path += " " + command.Name
			}
		}
		for _, flag := range command.Flags {
			if flag.Hidden {
				continue
			}
			name := "--" + flag.Name
			if !flag.IsBool() {
				name += " " + flag.FormatPlaceHolder()
			}
			fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", path, name, strings.TrimSuffix(flag.Help, "."))
		}
	}
	return b.String()
}

func TestDocsNameEverySource(t *testing.T) {
	text := readFile(t, docsDir+"records.md")
	for table, sources := range map[string][]string{
		"record":        {record.SourceEventsAPI, record.SourceWebhook},
		"action record": {parser.Source},
	} {
		row := regexp.MustCompile(`(?m)^\| source \|.*$`).FindString(section(t, text, table))
		for _, source := range sources {
			if !strings.Contains(row, source) {
				t.Errorf("docs/records.md, %s: the row of source does not name %s: %q", table, source, row)
			}
		}
	}
}
