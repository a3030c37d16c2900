package cmdline

import (
	"fmt"
	"io"
	"strings"
)

// WriteFish writes a completion for fish 3 and later.
func (c *Command) WriteFish(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# fish completion for %[1]s, written by: %[1]s completion fish\n\ncomplete -c %[1]s -f\n", c.Name)
	for _, command := range c.all() {
		when := fishQuote(command.fishCondition(c))
		for _, child := range command.Commands {
			fmt.Fprintf(&b, "complete -c %s -n %s -a %s -d %s\n", c.Name, when, child.Name, fishQuote(brief(child.Help)))
		}
		if values := command.values(); len(values) > 0 {
			fmt.Fprintf(&b, "complete -c %s -n %s -a %s\n", c.Name, when, fishQuote(strings.Join(values, " ")))
		}
		if command.files() {
			fmt.Fprintf(&b, "complete -c %s -n %s -F\n", c.Name, when)
		}
		for _, f := range command.Flags {
			fmt.Fprintf(&b, "complete -c %s -n %s -l %s", c.Name, when, f.Name)
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
	_, err := io.WriteString(w, b.String())
	return err
}

// fishCondition holds where the next word belongs to c and not to a command below it.
func (c *Command) fishCondition(program *Command) string {
	var parts []string
	for at := program; at != nil && at != c; {
		next := at.toward(c)
		if next != nil {
			parts = append(parts, "__fish_seen_subcommand_from "+strings.Join(next.names(), " "))
		}
		at = next
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
