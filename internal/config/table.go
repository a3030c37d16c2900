package config

import "time"

// Table is the configuration of one part of the program: its options, and the
// rules that tie some of them together. S is what they become.
type Table[S any] struct {
	Title string // over them in a help text
	Options
	rules []func(*parser, *S)
}

// ParseOptions say what the caller needs.
type ParseOptions struct {
	// NeedState makes state_path required, as for the plugin. Without it, a
	// missing state_path is a warning.
	NeedState bool
	// NeedForward makes forward required, as for the output plugin.
	NeedForward bool
	// StateDir is where a source without state_path has its state; empty: nowhere.
	StateDir string
	// Shared says that states are in a store, see [SharedState], so that no source has a file.
	Shared bool
	// NoFiles leaves the file system alone, for a configuration that is
	// checked on another machine than the one it is for.
	NoFiles bool
	// Unknown names options that are set, but whose values cannot be known
	// here. They count as given and are not looked at.
	Unknown []string
	// Now is the clock, nil for the real one.
	Now func() time.Time
}

// Parse reads every option from a host that answers by name only and gives
// "" for what is unset, as Fluent Bit does. It also asks for likely
// misspellings, since such a host hides them otherwise. Warnings are single
// lines. The error is an [*Error] that holds all problems; the settings are
// then of no use.
func (t Table[S]) Parse(get func(name string) string, opts ParseOptions) (S, []string, error) {
	values := map[string]string{}
	for _, o := range t.Options {
		if v := get(o.Name); v != "" {
			values[o.Name] = v
		}
	}
	for _, m := range t.misspellings() {
		if v := get(m.wrong); v != "" {
			values[m.wrong] = v
		}
	}
	return t.ParseMap(values, opts)
}

// ParseMap reads options from a map, refusing names it does not know. A name
// with an empty value is a problem: who means unset leaves it out. Warnings
// and error are as for Parse.
func (t Table[S]) ParseMap(values map[string]string, opts ParseOptions) (S, []string, error) {
	s, warnings, problems := t.Check(values, opts)
	lines := make([]string, 0, len(warnings))
	for _, w := range warnings {
		lines = append(lines, w.String())
	}
	if len(problems) > 0 {
		var none S
		return none, lines, &Error{Problems: problems}
	}
	return s, lines, nil
}

// Check is ParseMap for callers that want to know which option each
// warning and each problem belongs to. The settings are complete if there
// are no problems.
func (t Table[S]) Check(values map[string]string, opts ParseOptions) (settings S, warnings, problems []Problem) {
	p := newParser(t.Options, &settings, values, opts)
	p.keepSecrets()
	p.unknownNames()
	for _, o := range t.Options {
		p.option(o)
	}
	for _, rule := range t.rules {
		rule(p, &settings)
	}
	p.sort(p.warnings)
	p.sort(p.problems)
	return settings, p.warnings, p.problems
}
