package cmdline

import (
	"fmt"
	"strings"
)

// Fish is a completion for fish 3 and later.
func (c *Command) Fish() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# fish completion for %[1]s, written by: %[1]s completion fish\n\ncomplete -c %[1]s -f\n", c.Name)
	for _, command := range c.all() {
		complete := "complete -c " + c.Name + " -n " + fishQuote(command.fishCondition(c))
		for _, child := range command.Commands {
			fmt.Fprintf(&b, "%s -a %s -d %s\n", complete, child.Name, fishQuote(brief(child.Help)))
		}
		if values := command.values(); len(values) > 0 {
			fmt.Fprintf(&b, "%s -a %s\n", complete, fishQuote(strings.Join(values, " ")))
		}
		if command.files() {
			fmt.Fprintf(&b, "%s -F\n", complete)
		}
		for _, f := range command.Flags {
			fmt.Fprintf(&b, "%s -l %s", complete, f.Name)
			switch {
			case f.Placeholder == "":
			case f.Files:
				b.WriteString(" -r -F")
			default:
				b.WriteString(" -x")
			}
			if len(f.Values) > 0 {
				fmt.Fprintf(&b, " -a %s", fishQuote(strings.Join(f.Values, " ")))
			}
			fmt.Fprintf(&b, " -d %s\n", fishQuote(brief(f.Help)))
		}
	}
	return b.String()
}

// fishCondition holds where the next word belongs to c and not to a command below it.
func (c *Command) fishCondition(program *Command) string {
	var parts []string
	for at := program.toward(c); at != nil; at = at.toward(c) {
		parts = append(parts, "__fish_seen_subcommand_from "+strings.Join(at.names(), " "))
	}
	if len(c.Commands) > 0 {
		var below []string
		for _, child := range c.Commands {
			below = append(below, child.names()...)
		}
		parts = append(parts, "not __fish_seen_subcommand_from "+strings.Join(below, " "))
	}
	return strings.Join(parts, "; and ")
}

// toward is the command below c that is to, or that has it below itself.
func (c *Command) toward(to *Command) *Command {
	for _, child := range c.Commands {
		if child == to || child.toward(to) != nil {
			return child
		}
	}
	return nil
}

func fishQuote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
