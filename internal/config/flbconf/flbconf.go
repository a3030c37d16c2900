// Package flbconf reads a Fluent Bit configuration, YAML or classic, and finds
// what the plugin cannot see from inside: options that Fluent Bit hides
// because nobody asks for them, and settings around the plugin with which
// Fluent Bit itself loses records.
//
// It reads files only, bounded in size and number, follows includes, and
// changes nothing. What it does not know it passes over. No finding repeats
// the value of a secret.
package flbconf

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// PluginName is the name of our input and of our output in a Fluent Bit configuration.
const PluginName = "zitadel"

// Severity of a finding.
type Severity string

const (
	// Error: Fluent Bit or the plugin will not start, or nothing will arrive.
	Error Severity = "error"
	// Warning: it runs, but can lose records, or does not do what it says.
	Warning Severity = "warning"
)

// Finding is one thing to mend.
type Finding struct {
	Severity Severity
	File     string
	Line     int    // from 1
	What     string // what is wrong, naming the option
	Why      string // one sentence
	Mend     string // the line to write, or what to do; may be empty
}

// String returns "file:line: severity: what: why; mend: ...".
func (f Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d: %s: %s", f.File, f.Line, f.Severity, f.What)
	if f.Why != "" {
		b.WriteString(": " + f.Why)
	}
	if f.Mend != "" {
		b.WriteString("; mend: " + f.Mend)
	}
	return b.String()
}

// Input is one zitadel input of the configuration.
type Input struct {
	File     string
	Line     int
	Tag      string
	Settings config.Settings
	Usable   bool // the settings have no problem and no unknown part
}

// Output is one zitadel output of the configuration.
type Output struct {
	File     string
	Line     int
	Match    string // match, or match_regex where there is no match
	Settings config.OutputSettings
	Usable   bool // as that of [Input]
}

// Report is what a configuration holds.
type Report struct {
	Inputs   []Input
	Outputs  []Output
	Findings []Finding // in the order of files and lines; nil when all is well
}

// Options of [Check].
type Options struct {
	// LookupEnv gives the environment that Fluent Bit will run in; nil for
	// that of this process.
	LookupEnv func(name string) (string, bool)
	// Parse is handed to the check of our own options; NeedState and NeedForward
	// are implied.
	Parse config.ParseOptions
}

// Check reads the configuration at path. An error means that the file itself
// cannot be read; everything else is a finding.
func Check(path string, opts Options) (Report, error) {
	if opts.LookupEnv == nil {
		opts.LookupEnv = os.LookupEnv
	}
	opts.Parse.NeedState, opts.Parse.NeedForward = true, true
	l := newLoader(path)
	if err := l.load(path, formatOf(path), 0); err != nil {
		return Report{}, fmt.Errorf("fluent bit configuration %s: %w", path, err)
	}
	c := &checker{opts: opts, doc: &l.doc, findings: l.findings}
	c.check(path)
	order := func(file string) int { return slices.Index(l.order, file) }
	slices.SortStableFunc(c.findings, func(a, b Finding) int {
		if d := order(a.File) - order(b.File); d != 0 {
			return d
		}
		return a.Line - b.Line
	})
	return Report{Inputs: c.inputs, Outputs: c.parsers, Findings: c.findings}, nil
}

func formatOf(path string) format {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yaml", ".yml":
		return yamlFormat
	}
	return classicFormat
}
