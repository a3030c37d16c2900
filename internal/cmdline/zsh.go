package cmdline

import (
	"fmt"
	"strings"
)

// Zsh is a completion for zsh, a file for a directory of its fpath.
func (c *Command) Zsh() string {
	var b strings.Builder
	fmt.Fprintf(&b, "#compdef %[1]s\n# zsh completion for %[1]s, written by: %[1]s completion zsh\n", c.Name)
	for _, command := range c.all() {
		command.zshFunction(&b, c.Name)
	}
	fmt.Fprintf(&b, "\nif [ \"$funcstack[1]\" = \"_%[1]s\" ]; then\n    %[2]s \"$@\"\nelse\n    compdef %[2]s %[1]s\nfi\n", c.Name, zshName(c.Name, c))
	return b.String()
}

// zshName is the name of the function for a command.
func zshName(program string, c *Command) string {
	return "_" + strings.NewReplacer("-", "_", " ", "_").Replace(strings.TrimSpace(program+" "+c.Path)) + "_command"
}

func (c *Command) zshFunction(b *strings.Builder, program string) {
	fmt.Fprintf(b, "\n%s() {\n", zshName(program, c))
	if len(c.Commands) > 0 {
		b.WriteString("    local curcontext=$curcontext state line\n    local -a commands\n")
	}
	b.WriteString("    _arguments -C")
	for _, f := range c.Flags {
		spec := "--" + f.Name
		if f.Placeholder != "" {
			spec += "="
		}
		spec += "[" + zshText(brief(f.Help)) + "]"
		if f.Placeholder != "" {
			spec += ":" + zshText(strings.ToLower(f.Placeholder)) + ":" + zshAction(f.Hint)
		}
		fmt.Fprintf(b, " \\\n        %s", zshQuote(spec))
	}
	if len(c.Commands) > 0 {
		b.WriteString(" \\\n        '1: :->command' \\\n        '*:: :->arguments'\n")
		c.zshCommands(b, program)
	} else {
		for _, a := range c.Arguments {
			where := ""
			if a.Repeated {
				where = "*"
			}
			fmt.Fprintf(b, " \\\n        %s", zshQuote(where+":"+zshText(strings.ToLower(a.Name))+":"+zshAction(a.Hint)))
		}
		b.WriteString("\n")
	}
	b.WriteString("}\n")
}

// zshCommands chooses among the commands below c.
func (c *Command) zshCommands(b *strings.Builder, program string) {
	b.WriteString("    case $state in\n    command)\n        commands=(\n")
	for _, child := range c.Commands {
		fmt.Fprintf(b, "            %s\n", zshQuote(child.Name+":"+brief(child.Help)))
	}
	b.WriteString("        )\n        _describe command commands\n        ;;\n    arguments)\n        case $words[1] in\n")
	for _, child := range c.Commands {
		fmt.Fprintf(b, "        %s) %s ;;\n", strings.Join(child.names(), " | "), zshName(program, child))
	}
	b.WriteString("        esac\n        ;;\n    esac\n")
}

func zshAction(h Hint) string {
	switch {
	case h.Files && len(h.Values) > 0:
		return "{_files; compadd " + strings.Join(h.Values, " ") + "}"
	case h.Files:
		return "_files"
	case len(h.Values) > 0:
		return "(" + strings.Join(h.Values, " ") + ")"
	}
	return " "
}

// zshText keeps a text from ending its part of a spec of _arguments.
func zshText(s string) string {
	return strings.NewReplacer(`\`, `\\`, `:`, `\:`, `[`, `\[`, `]`, `\]`).Replace(s)
}

func zshQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
