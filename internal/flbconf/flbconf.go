// Package flbconf checks a Fluent Bit configuration, YAML or classic, for problems that
// the plugins cannot see: options that Fluent Bit does not pass on because they are
// unknown, and settings around the plugins with which Fluent Bit itself loses records.
//
// It reads only text files, bounded in size and number, follows includes, and changes
// nothing. It judges by what Fluent Bit 5.1.1 does, and adds a note for everything that
// it cannot judge. No text repeats the value of a secret.
package flbconf

import (
	"cmp"
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
	// Error: Fluent Bit or the plugin does not start, or nothing arrives.
	Error Severity = "error"
	// Warning: it runs, but can lose records, or does not do what it says.
	Warning Severity = "warning"
	// Note: something that this check cannot judge, or that no setting changes.
	Note Severity = "note"
)

// Finding is one thing to fix, or to know.
type Finding struct {
	Severity Severity
	File     string
	Line     int    // from 1
	What     string // what is wrong, naming the option
	Why      string // one sentence
	Fix      string // the line to write, or what to do; may be empty
}

// String returns "file:line: severity: what: why; fix: ...".
func (f Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d: %s: %s", f.File, f.Line, f.Severity, f.What)
	if f.Why != "" {
		b.WriteString(": " + f.Why)
	}
	if f.Fix != "" {
		b.WriteString("; fix: " + f.Fix)
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
	Findings []Finding // errors and warnings in the order of files and lines; nil if there are none
	Notes    []Finding // what limits the verdict, in the same order
	Summary  string    // the verdict, with what was looked at
	NotRead  string    // what was not looked at
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
// cannot be read as text; everything else is a finding.
func Check(path string, opts Options) (Report, error) {
	if opts.LookupEnv == nil {
		opts.LookupEnv = os.LookupEnv
	}
	opts.Parse.NeedState, opts.Parse.NeedForward = true, true
	l := newLoader(path)
	if err := l.load(path, formatOf(path), 0); err != nil {
		return Report{}, fmt.Errorf("fluent bit configuration %s: %w", path, err)
	}
	c := newChecker(opts, l)
	c.check(path)
	slices.SortStableFunc(c.findings, func(a, b Finding) int {
		return cmp.Or(slices.Index(l.order, a.File)-slices.Index(l.order, b.File), a.Line-b.Line)
	})
	r := Report{Inputs: c.inputs, Outputs: c.parsers}
	for _, f := range c.findings {
		if f.Severity == Note {
			r.Notes = append(r.Notes, f)
		} else {
			r.Findings = append(r.Findings, f)
		}
	}
	r.Summary, r.NotRead = c.summary(path, r.Findings), c.notRead()
	return r, nil
}

// formatOf decides by the name, as Fluent Bit does.
func formatOf(path string) format {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yaml", ".yml":
		return yamlFormat
	}
	return classicFormat
}
