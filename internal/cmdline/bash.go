package cmdline

import (
	"fmt"
	"strings"
)

// Bash is a completion for bash 4 and later. It needs no package of functions.
func (c *Command) Bash() string {
	function := "_" + strings.ReplaceAll(c.Name, "-", "_")
	var b strings.Builder
	fmt.Fprintf(&b, `# bash completion for %[1]s, written by: %[1]s completion bash

%[2]s() {
    local cur=${COMP_WORDS[COMP_CWORD]} flag=${COMP_WORDS[COMP_CWORD-1]} command= words= files= i
    # bash takes the = of --flag=value for a word of its own.
    if [[ $cur == "=" ]]; then
        cur=
    elif [[ $flag == "=" ]]; then
        flag=${COMP_WORDS[COMP_CWORD-2]}
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "$command ${COMP_WORDS[i]}" in
`, c.Name, function)
	for _, command := range c.all() {
		for _, child := range command.Commands {
			patterns := make([]string, 0, 2)
			for _, name := range child.names() {
				patterns = append(patterns, fmt.Sprintf("%q", command.Path+" "+name))
			}
			fmt.Fprintf(&b, "        %s) command=%q ;;\n", strings.Join(patterns, " | "), child.Path)
		}
	}
	b.WriteString("        esac\n    done\n    COMPREPLY=()\n    case \"$command $flag\" in\n")
	for _, command := range c.all() {
		for _, f := range command.Flags {
			if f.Placeholder == "" {
				continue
			}
			fmt.Fprintf(&b, "    %q)", command.Path+" --"+f.Name)
			if len(f.Values) > 0 {
				fmt.Fprintf(&b, " words=%q", strings.Join(f.Values, " "))
			}
			if f.Files {
				b.WriteString(" files=yes")
			}
			b.WriteString(" ;;\n")
		}
	}
	b.WriteString("    *)\n        case $command in\n")
	for _, command := range c.all() {
		var names, flags []string
		for _, child := range command.Commands {
			names = append(names, child.Name)
		}
		names = append(names, command.values()...)
		for _, f := range command.Flags {
			flags = append(flags, "--"+f.Name)
		}
		fmt.Fprintf(&b, "        %q)\n            words=%q\n", command.Path, strings.Join(flags, " "))
		if command.files() {
			fmt.Fprintf(&b, "            [[ $cur == -* ]] || { words= files=yes; }\n")
		} else if len(names) > 0 {
			fmt.Fprintf(&b, "            [[ $cur == -* ]] || words=%q\n", strings.Join(names, " "))
		}
		b.WriteString("            ;;\n")
	}
	fmt.Fprintf(&b, `        esac
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
    if [[ $files ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$cur")
    fi
}

complete -F %s %s
`, function, c.Name)
	return b.String()
}
