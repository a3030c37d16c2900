package config

import "strings"

// Kind is the shape of an option's value.
type Kind int

// The kinds, with what is accepted.
const (
	KindText     Kind = iota + 1 // any text without control characters
	KindURL                      // scheme://host[:port]
	KindEnum                     // one of Option.Values
	KindSwitch                   // on/off, true/false, yes/no
	KindDuration                 // 5s, 1h30m, 7d; a plain number is seconds
	KindSize                     // 512k, 16M, 1G (decimal, as Fluent Bit counts); a plain number is bytes
	KindNumber                   // a whole number
	KindList                     // comma-separated text, of Option.Values where there are any
	KindFile                     // path of a file that exists
	KindPath                     // path of a file that may be created
	KindTime                     // RFC 3339
	KindPoint                    // beginning, now, RFC 3339 or a duration back
	KindToken                    // a secret
	KindForward                  // HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT or unix:PATH
)

var kindNames = map[Kind]string{
	KindText: "text", KindURL: "URL", KindSwitch: "on, off", KindDuration: "duration", KindSize: "size", KindNumber: "number",
	KindList: "list", KindFile: "file", KindPath: "file", KindTime: "RFC 3339", KindPoint: "`beginning`, `now`, RFC 3339 or a duration back",
	KindToken: "secret", KindForward: "`HOST:PORT`, `tcp://HOST:PORT`, `tls://HOST:PORT` or `unix:PATH`",
}

// Option is one setting. Parsing, defaults, help, environment variables and
// docs/options.md are all derived from it.
type Option struct {
	Name     string // as in Fluent Bit's configuration, snake case
	Kind     Kind
	Default  string   // in the option's own syntax, "" where there is none
	Values   []string // of an Enum, or a List of known words
	Min, Max string   // bounds of a Duration, Size or Number, in its own syntax
	Bounds   string   // why these bounds
	Doc      string   // one or two sentences, without a final stop
	Example  string   // a valid value
	Advanced bool     // seldom changed
	Group    string   // its heading in help texts; empty: the title of the table
	Secret   bool     // the value must not be shown

	// also are other names that users write for this option.
	also []string
	// field is where the value is stored: a *string, *Secret, *bool, *int,
	// *time.Duration, *time.Time, *[]string, *Start, *Forward or **url.URL.
	field func(settings any) any
	// public: the File contains nothing secret.
	public bool
	// make returns the command that makes a File which does not exist.
	make func(path string) string
	// text says what else is wrong with a Text or a Token, content with the
	// content of a File, and items with a List.
	text    func(v string) error
	content func(data []byte) error
	items   func(p *parser, o Option, items *[]string)
}

// in types the field of an option.
func in[S any](field func(*S) any) func(any) any {
	return func(settings any) any { return field(settings.(*S)) }
}

// Options are those of one table, in the order of the documentation.
type Options []Option

// Lookup finds an option by its exact name.
func (os Options) Lookup(name string) (Option, bool) {
	for _, o := range os {
		if o.Name == name {
			return o, true
		}
	}
	return Option{}, false
}

// Env is the name of the environment variable, such as ZITADEL_TOKEN_FILE.
func (o Option) Env() string { return "ZITADEL_" + strings.ToUpper(o.Name) }

// Flag is the name of the command line flag without dashes, such as token-file.
func (o Option) Flag() string { return strings.ReplaceAll(o.Name, "_", "-") }

// Help is the text of the flag: what it does, values, default, environment.
func (o Option) Help() string {
	parts := []string{strings.ReplaceAll(o.Doc, "`", "")}
	if len(o.Values) > 0 {
		number := "one of "
		if o.Kind == KindList {
			number = "any of "
		}
		parts = append(parts, number+strings.Join(o.Values, ", "))
	}
	if o.Default != "" {
		parts = append(parts, "default "+strings.ReplaceAll(o.Default, "`", ""))
	}
	return strings.Join(parts, "; ") + " ($" + o.Env() + ")"
}

// fallback is the default as a value: one that is only described, in words,
// is made elsewhere.
func (o Option) fallback() string {
	if o.described() {
		return ""
	}
	return o.Default
}

func (o Option) described() bool { return strings.Contains(o.Default, " ") }

// secretFile says that the option names a file with a secret in it, for which
// the secret itself may be given by mistake.
func (o Option) secretFile() bool { return o.Kind == KindFile && !o.public }

// FromEnv returns the options that environment variables set. An empty
// variable counts as unset, and foreign ZITADEL_ variables (the server has
// many) are left alone.
func (os Options) FromEnv(getenv func(string) string) map[string]string {
	values := map[string]string{}
	for _, o := range os {
		if v := getenv(o.Env()); v != "" {
			values[o.Name] = v
		}
	}
	return values
}
