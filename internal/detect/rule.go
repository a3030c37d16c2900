package detect

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Level is Sigma's level of a rule.
type Level uint8

// The levels. A rule without one has LevelNone, which is below all others.
const (
	LevelNone Level = iota
	Informational
	Low
	Medium
	High
	Critical
)

var levelNames = []string{"", "informational", "low", "medium", "high", "critical"}

func (l Level) String() string { return levelNames[l] }

// ParseLevel returns the level of that name.
func ParseLevel(name string) (Level, error) {
	if i := slices.Index(levelNames, name); i > 0 {
		return Level(i), nil
	}
	return 0, fmt.Errorf("%q is no level: use %s", name, strings.Join(levelNames[1:], ", "))
}

// Rule is a Sigma rule, of single events or a correlation.
type Rule struct {
	File           string
	Line           int
	ID             string
	Name           string
	Title          string
	Status         string
	Description    string
	Date           string
	Modified       string
	Level          Level
	Tags           []string
	References     []string
	FalsePositives []string
	// Respond says what to do first. It is our own attribute, which Sigma allows.
	Respond string
	// Sources are the sources of records that the rule needs, each one of [Sources].
	Sources []string

	Correlation *Correlation // nil: a rule of single events

	search *node    // of a rule of single events
	feeds  []feed   // correlations that refer to it
	fields []string // that its searches name
	silent bool     // it gives no alerts of its own: a correlation refers to it
	index  int      // in Set.Rules
}

// feed is a correlation that a rule is a part of, and as which one of its rules.
type feed struct {
	to   *Rule
	part int
}

// Kinds of correlations.
const (
	EventCount      = "event_count"
	ValueCount      = "value_count"
	Temporal        = "temporal"
	TemporalOrdered = "temporal_ordered"
)

// Correlation is what a correlation rule looks for.
type Correlation struct {
	Type     string
	Rules    []*Rule
	GroupBy  []string
	Timespan time.Duration
	// Count is how many events, values or rules there have to be within Timespan.
	Count int
	Field string // whose values a value_count counts
	// Silence: no event within Timespan. It needs a clock, see [Engine.Tick].
	Silence  bool
	Generate bool

	refs  []ref   // to rules, until they are resolved
	paths [][]int // of the fields of GroupBy, for each rule
	field []int   // slot of Field, for each rule
	alias map[string]map[string]string
	def   string // identifies the definition in a state file
	chain bool   // another correlation refers to it
}

type ref struct {
	name string
	line int
}

// Alerts reports whether the rule gives alerts of its own, and is not only a part of a
// correlation.
func (r *Rule) Alerts() bool { return !r.silent }

// version is the date of the last change; empty: unknown.
func (r *Rule) version() string { return cmp.Or(r.Modified, r.Date) }

// Fields are the fields that the rule reads, sorted.
func (r *Rule) Fields() []string {
	fields := slices.Clone(r.fields)
	if c := r.Correlation; c != nil {
		for i, part := range c.Rules {
			fields = append(fields, part.Fields()...)
			for _, g := range c.GroupBy {
				fields = append(fields, c.resolve(i, g))
			}
			if c.Field != "" {
				fields = append(fields, c.resolve(i, c.Field))
			}
		}
	}
	slices.Sort(fields)
	return slices.Compact(fields)
}

// resolve returns the field that a name of group-by or field means for a part.
func (c *Correlation) resolve(part int, name string) string {
	byRule, ok := c.alias[name]
	if !ok {
		return name
	}
	r := c.Rules[part]
	if f, ok := byRule[r.Name]; ok {
		return f
	}
	return byRule[r.ID]
}

// Set is rules that were loaded together.
type Set struct {
	Rules []*Rule // by file, and in their order within a file
	slots *slots
}

// Sources are the names of the sources that a rule can need: events of the Events API or of
// webhooks, logins that an action reports, lines of ZITADEL's log about requests, API calls
// that an Actions V2 execution reports, and heartbeats of the reader.
var Sources = []string{"events", "logins", "requests", "calls", "heartbeat"}
