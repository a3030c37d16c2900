package cmdline

import (
	"fmt"
	"slices"
	"strings"
)

// Manual is what a man page says beside the commands.
type Manual struct {
	Version string
	// Sections come behind the commands, in this order. The text of one is paragraphs,
	// or, where a line begins with a tab, a list of words with their meaning behind a second tab.
	Sections []Section
}

// Section of a man page.
type Section struct{ Title, Text string }

// Man is a man page of section 1.
func (c *Command) Man(m Manual) string {
	var b strings.Builder
	title := strings.ToUpper(c.Name)
	// No date: the same sources give the same page.
	fmt.Fprintf(&b, ".TH %s 1 \"\" %s \"User Commands\"\n", roffWord(title), roffWord(c.Name+" "+m.Version))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(c.Name), roff(strings.TrimSuffix(c.Help, ".")))
	b.WriteString(".SH SYNOPSIS\n")
	for _, command := range c.all()[1:] {
		if len(command.Commands) > 0 {
			continue
		}
		fmt.Fprintf(&b, ".B %s %s\n", roff(c.Name), roff(command.Path))
		b.WriteString("[\\fIflags\\fR]")
		for _, a := range command.Arguments {
			dots := ""
			if a.Repeated {
				dots = "..."
			}
			fmt.Fprintf(&b, " [\\fI%s\\fR%s]", roff(a.Name), dots)
		}
		b.WriteString("\n.br\n")
	}
	b.WriteString(".SH DESCRIPTION\n")
	paragraph(&b, c.Help)
	paragraph(&b, c.Detail)
	b.WriteString(".SH COMMANDS\n")
	for _, command := range c.all()[1:] {
		if len(command.Commands) == 0 {
			command.manCommand(&b, c)
		}
	}
	for _, s := range m.Sections {
		fmt.Fprintf(&b, ".SH %s\n", roff(s.Title))
		for line := range strings.Lines(s.Text) {
			if word, meaning, ok := strings.Cut(strings.TrimPrefix(line, "\t"), "\t"); ok && line[0] == '\t' {
				fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(word), roff(strings.TrimSpace(meaning)))
			} else {
				paragraph(&b, line)
			}
		}
	}
	return b.String()
}

func (c *Command) manCommand(b *strings.Builder, program *Command) {
	title := c.Path
	if len(c.Aliases) > 0 {
		title += " (" + strings.Join(c.Aliases, ", ") + ")"
	}
	fmt.Fprintf(b, ".SS %s\n", roff(title))
	paragraph(b, c.Help)
	paragraph(b, c.Detail)
	for _, a := range c.Arguments {
		fmt.Fprintf(b, ".TP\n.I %s\n%s\n", roff(a.Name), roff(a.Help))
	}
	var groups []string
	for _, f := range c.Flags {
		if !slices.Contains(groups, f.Group) {
			groups = append(groups, f.Group)
		}
	}
	for _, group := range groups {
		if group != "" {
			fmt.Fprintf(b, ".PP\n%s:\n", roff(group))
		}
		for _, f := range c.Flags {
			if f.Group != group || slices.ContainsFunc(program.Flags, func(general Flag) bool { return general.Name == f.Name }) {
				continue
			}
			value := ""
			if f.Placeholder != "" {
				value = "=\\fI" + roff(f.Placeholder) + "\\fR"
			}
			fmt.Fprintf(b, ".TP\n\\fB%s\\fR%s\n%s\n", roff("--"+f.Name), value, roff(f.Help))
		}
	}
}

func paragraph(b *strings.Builder, text string) {
	if text = strings.TrimSpace(text); text != "" {
		fmt.Fprintf(b, ".PP\n%s\n", roff(text))
	}
}

// roff keeps a text from being a request or an escape of roff. A - becomes the one that
// can be copied into a shell.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n", " ").Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}

// roffWord quotes an argument of a request.
func roffWord(text string) string { return `"` + strings.ReplaceAll(roff(text), `"`, `\(dq`) + `"` }
