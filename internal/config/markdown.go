package config

import (
	"fmt"
	"strings"
)

// Markdown returns the tables of these options for docs/options.md.
func (os Options) Markdown() string {
	var b strings.Builder
	table := func(advanced bool) {
		b.WriteString("| option | values | default | meaning |\n|---|---|---|---|\n")
		for _, o := range os {
			if o.Advanced == advanced {
				fmt.Fprintf(&b, "| `%s` | %s | %s | %s. Example: `%s` |\n", o.Name, o.values(), o.defaultCell(), cell(o.Doc), cell(o.Example))
			}
		}
	}
	table(false)
	b.WriteString("\nRarely changed:\n\n")
	table(true)
	return b.String()
}

// Syntax says below the tables how values are written.
const Syntax = "\nDurations: `500ms`, `5s`, `1h30m`, `7d`; a plain number is seconds. " +
	"Sizes: `512k`, `16M`, `1G`, as Fluent Bit counts them (1M is 1,000,000 bytes). " +
	"Switches: `on`, `off`, `true`, `false`, `yes`, `no`. Lists: separated by commas, in one string.\n" +
	"For `zitadel-siem` the same names are flags (`--token-file`) and environment variables (`ZITADEL_TOKEN_FILE`).\n"

func (o Option) values() string {
	s := kindNames[o.Kind]
	words := "`" + strings.Join(o.Values, "`, `") + "`"
	switch {
	case o.Kind == KindEnum:
		s = words
	case len(o.Values) > 0:
		s += " of " + words
	}
	if o.Min != "" {
		s += fmt.Sprintf(", %s to %s", o.Min, o.Max)
	}
	return s
}

func (o Option) defaultCell() string {
	switch {
	case o.Default == "":
		return ""
	case o.described():
		return cell(o.Default)
	default:
		return "`" + o.Default + "`"
	}
}

// cell keeps a text inside its cell.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
