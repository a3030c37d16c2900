// Package schema turns records into those that a SIEM understands. A source's
// record becomes an [Activity]: who did it, to whom, what happened, with which
// outcome, from where. From the activity one writer each makes ECS, OCSF, CEF
// and LEEF. What an event type means is in one table, mapping.yaml, which an
// overlay of the user can change.
package schema

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

//go:generate go run ./gen

// Tier says who wants a record.
type Tier uint8

// The tiers, from the most to the least wanted.
const (
	Core   Tier = iota // always
	Useful             // by default
	Noise              // only when asked for
)

var tierNames = []string{"core", "useful", "noise"}

func (t Tier) String() string { return tierNames[t] }

// Severity is OCSF's severity_id.
type Severity uint8

// The severities.
const (
	Informational Severity = iota + 1
	Low
	Medium
	High
	Critical
)

var severityNames = []string{"unknown", "informational", "low", "medium", "high", "critical"}

func (s Severity) String() string { return severityNames[s] }

// Outcome is OCSF's status_id.
type Outcome uint8

// The outcomes.
const (
	Unknown Outcome = iota
	Success
	Failure
)

var outcomeNames = []string{"unknown", "success", "failure"}

func (o Outcome) String() string { return outcomeNames[o] }

// Class is an OCSF class and activity.
type Class struct {
	Class    uint16
	Activity uint8
	Name     string // of the activity
}

// Entity is the kind of thing that an event is about: OCSF's entity type.
type Entity struct {
	ID   uint8
	Name string
}

// Row is what a type of event means.
type Row struct {
	Type     string
	Title    string
	Group    string
	Tier     Tier
	Severity Severity
	Outcome  Outcome
	OCSF     Class // 1.8.0
	OCSF19   Class // 1.9.0
	Category []string
	Kinds    []string // ECS event.type
	Entity   Entity
	User     string // aggregate, payload.KEY or state.X; empty: none
	Client   string // flat, or the key of the object with address and user agent
	Roles    string // payload key of the roles, or state
	Factor   uint8
	Protocol uint8
	Legacy   bool
	Note     string
	Rule     string // the rule that gave the group; empty: the table did
	Overlay  bool   // the overlay made or changed it
	Teaches  bool   // names are learned from it; package format says which

	own   bool
	auth  bool   // ECS user is the subject and not the editor
	user  string // payload key of User
	roles string // payload key of Roles
}

// def is a row as the generator writes it: what its group says is missing.
type def Row

type rule struct {
	match, group string
	re           *regexp.Regexp
}

type entityRule struct {
	prefix string
	Entity
}

type enum map[int]string

// enumKey is the enum of a payload key: the same for all types, or by type.
type enumKey struct {
	all   string
	types map[string]string
}

// Table holds the rows. It does not change, and is safe for concurrent use.
type Table struct {
	rows   map[string]*Row
	groups map[string]*Row
	rules  []rule
}

// Load returns the table, changed by the overlay, which is the content of the
// file of that name; it may be empty.
func Load(overlay []byte, name string) (*Table, error) {
	t := &Table{rows: make(map[string]*Row, len(genRows)), groups: map[string]*Row{}}
	for i := range genGroups {
		t.groups[genGroups[i].Group] = &genGroups[i]
	}
	for _, r := range genRules {
		r.re = regexp.MustCompile(r.match)
		t.rules = append(t.rules, r)
	}
	for i := range genRows {
		d := Row(genRows[i])
		r, ok := t.derive(d)
		if !ok {
			return nil, fmt.Errorf("the table has no group %s for %s", d.Group, d.Type)
		}
		t.rows[r.Type] = r
	}
	if err := t.overlay(overlay, name); err != nil {
		return nil, err
	}
	return t, nil
}

// derive completes a row: its group where a rule must give it, what the group
// says, and the entity.
func (t *Table) derive(d Row) (r *Row, ok bool) {
	if d.Group == "" {
		d.Group, d.Rule = t.rule(d.Type)
	}
	g, ok := t.groups[d.Group]
	if !ok {
		return nil, false
	}
	r = &d
	r.Tier, r.Severity, r.Outcome, r.OCSF, r.OCSF19, r.Category, r.Kinds = g.Tier, g.Severity, g.Outcome, g.OCSF, g.OCSF19, g.Category, g.Kinds
	if r.Entity.ID == 0 && !r.own {
		r.Entity = entityOf(r.Type)
	}
	if r.User == "" && r.Entity.ID == 2 {
		r.User = "aggregate" // user.* that only a rule knows
	}
	r.prepare()
	return r, true
}

// prepare sets what the hot path wants to know of a row.
func (r *Row) prepare() {
	r.auth = false
	for _, c := range r.Category {
		r.auth = r.auth || c == "authentication" || c == "session"
	}
	r.user = ""
	if key, ok := strings.CutPrefix(r.User, "payload."); ok {
		key, _, _ = strings.Cut(key, "|")
		r.user = strings.TrimSuffix(key, "[]")
	}
	r.roles = r.Roles
	if r.roles == "state" {
		r.roles = ""
	}
}

func (t *Table) rule(typ string) (group, match string) {
	for _, r := range t.rules {
		if r.re.MatchString(typ) {
			return r.group, r.match
		}
	}
	return "ops_info", "" // the last rule matches everything but line ends
}

func entityOf(typ string) Entity {
	for i := range genEntities {
		if strings.HasPrefix(typ, genEntities[i].prefix) {
			return genEntities[i].Entity
		}
	}
	return Entity{}
}

// Row returns the row of a type. known is false where the table does not know
// the type and a rule gave the row.
func (t *Table) Row(typ string) (r *Row, known bool) {
	if r, ok := t.rows[typ]; ok {
		return r, true
	}
	r, _ = t.derive(Row{Type: typ, Title: "Event of a type that the table does not know"})
	return r, false
}

// CorrelateTypes are the types that later events are understood by.
func CorrelateTypes() []string { return genCorrelate }

// word returns the word for a number of the payload of typ.
func enumWord(typ, key string, n float64) (string, bool) {
	k, ok := genEnumKeys[key]
	if !ok {
		return "", false
	}
	name := k.all
	if k.types != nil {
		name = k.types[typ]
	}
	w, ok := genEnums[name][int(n)]
	return w, ok && float64(int(n)) == n
}

// Rows returns all rows, by type.
func (t *Table) Rows() []*Row {
	rows := slices.Collect(maps.Values(t.rows))
	slices.SortFunc(rows, func(a, b *Row) int { return strings.Compare(a.Type, b.Type) })
	return rows
}
