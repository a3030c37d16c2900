// Package cmdline describes a command line, and writes its man page and its completions
// for bash, zsh and fish. It takes everything from the model of kong, which parses the
// command line, so that they cannot differ from what the program does.
//
// Libraries for this were weighed. mango-kong (2022) shows hidden flags, which here are
// those that would put a secret into the process list, and no groups. kong-completion (2022)
// and kongplete (2023) make the program answer to COMP_LINE at run time, through five
// modules that are not kept any more. What is here is written to files once.
package cmdline

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Command is the program, or one of its commands.
type Command struct {
	Name      string // without that of its parent
	Path      string // the names from the first command on, such as "setup log"; empty: the program
	Aliases   []string
	Help      string // one sentence
	Detail    string
	Arguments []Argument
	Flags     []Flag
	Commands  []*Command
}

// Argument is a positional argument.
type Argument struct {
	Name, Help string
	Repeated   bool
	Hint
}

// Flag is a flag that a user may give.
type Flag struct {
	Name, Help, Group string // the name is without dashes
	Placeholder       string // of its value; empty: it takes none
	Hint
}

// Hint is what a completion may suggest for a value.
type Hint struct {
	Values []string
	Files  bool
}

// New reads the model of kong. Hidden commands and flags are left out. hint is asked about
// each flag of which kong itself does not know the values.
func New(app *kong.Application, hint func(flag string) Hint) *Command {
	c := command(app.Node, "", hint)
	c.add(nil)
	return c
}

func command(node *kong.Node, parent string, hint func(string) Hint) *Command {
	c := &Command{Name: node.Name, Aliases: node.Aliases, Help: node.Help, Detail: node.Detail}
	if node.Type == kong.CommandNode {
		c.Path = strings.TrimSpace(parent + " " + node.Name)
	}
	c.Flags = flags(node, hint)
	for _, p := range node.Positional {
		a := Argument{Name: strings.ToUpper(p.Name), Help: p.Help, Repeated: p.IsCumulative(), Hint: hintOf(p)}
		a.Files = a.Files || a.Repeated // the only lists are lists of files
		c.Arguments = append(c.Arguments, a)
	}
	for _, child := range node.Children {
		if !child.Hidden {
			c.Commands = append(c.Commands, command(child, c.Path, hint))
		}
	}
	if node.DefaultCmd != nil { // its flags may be given without its name
		c.Flags = append(c.Flags, flags(node.DefaultCmd, hint)...)
	}
	return c
}

func flags(node *kong.Node, hint func(string) Hint) (list []Flag) {
	for _, f := range node.Flags {
		if f.Hidden {
			continue
		}
		flag := Flag{Name: f.Name, Help: f.Help, Hint: hintOf(f.Value)}
		if f.Group != nil {
			flag.Group = f.Group.Title
		}
		if !f.IsBool() && !f.IsCounter() {
			flag.Placeholder = f.FormatPlaceHolder()
			if flag.Values == nil && !flag.Files {
				flag.Hint = hint(f.Name)
			}
		}
		list = append(list, flag)
	}
	return list
}

func hintOf(v *kong.Value) Hint {
	h := Hint{Files: v.Tag.Type == "path"}
	if v.Enum != "" {
		h.Values = v.EnumSlice()
	}
	return h
}

// add gives inherited flags, such as --help, to each command that has none of this name.
func (c *Command) add(inherited []Flag) {
	for _, f := range inherited {
		if !slices.ContainsFunc(c.Flags, func(own Flag) bool { return own.Name == f.Name }) {
			c.Flags = append(c.Flags, f)
		}
	}
	general := inherited
	if c.Path == "" {
		general = c.Flags
	}
	for _, child := range c.Commands {
		child.add(general)
	}
}

// all returns c and every command below it.
func (c *Command) all() []*Command {
	list := []*Command{c}
	for _, child := range c.Commands {
		list = append(list, child.all()...)
	}
	return list
}

// names returns the name of c and its aliases.
func (c *Command) names() []string { return append([]string{c.Name}, c.Aliases...) }

// files says that c takes files as arguments.
func (c *Command) files() bool {
	return slices.ContainsFunc(c.Arguments, func(a Argument) bool { return a.Files })
}

// values are the words that the arguments of c may have.
func (c *Command) values() (list []string) {
	for _, a := range c.Arguments {
		list = append(list, a.Values...)
	}
	return list
}

// maxBrief is the length to which a completion shortens what it shows beside a word.
const maxBrief = 70

// brief is the first part of a help text.
func brief(help string) string {
	for _, end := range []string{". ", "; ", ": ", " ($"} {
		help, _, _ = strings.Cut(help, end)
	}
	help = strings.TrimSuffix(help, ".")
	if len(help) <= maxBrief {
		return help
	}
	return help[:strings.LastIndexByte(help[:maxBrief], ' ')] + " ..."
}
