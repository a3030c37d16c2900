package detections

import (
	_ "embed"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/detect"
	"github.com/zitadel-siem/zitadel-siem/internal/schema"
)

//go:embed docs_head.txt
var docsHead string

// WriteDocs writes docs/detections.md: what each rule finds and needs, and which techniques
// are covered from which source.
func WriteDocs(w io.Writer, set *detect.Set, table *schema.Table) error {
	d := docs{set: set, tier: map[string]schema.Tier{}}
	for _, row := range table.Rows() {
		d.types = append(d.types, row.Type)
		d.tier[row.Type] = row.Tier
	}
	for _, r := range set.Rules {
		if r.Alerts() {
			d.rules = append(d.rules, r)
		}
	}
	slices.SortStableFunc(d.rules, func(a, b *detect.Rule) int { return strings.Compare(a.Name, b.Name) })
	d.b.WriteString(docsHead)
	d.list()
	d.coverage()
	d.details()
	_, err := io.WriteString(w, d.b.String())
	return err
}

type docs struct {
	set   *detect.Set
	rules []*detect.Rule
	types []string
	tier  map[string]schema.Tier
	b     strings.Builder
}

func (d *docs) list() {
	fmt.Fprintf(&d.b, "## The %d rules\n\n| rule | level | finds | source | tier | ATT&CK |\n|---|---|---|---|---|---|\n", len(d.rules))
	for _, r := range d.rules {
		_, techniques := detect.Attack(r.Tags)
		fmt.Fprintf(&d.b, "| [%s](#%s) | %s | %s | %s | %s | %s |\n", r.Name, r.Name, r.Level, r.Title, strings.Join(r.Sources, ", "), d.needs(r), strings.Join(techniques, ", "))
	}
}

// needs returns the tier from which on the rule can find something.
func (d *docs) needs(r *detect.Rule) schema.Tier {
	if c := r.Correlation; c != nil {
		tier := schema.Core
		for _, part := range c.Rules {
			tier = max(tier, d.needs(part))
		}
		return tier
	}
	tier := schema.Noise
	for _, t := range d.set.Actions(r, d.types) {
		tier = min(tier, d.tier[t])
	}
	return tier
}

func (d *docs) coverage() {
	count := map[string]map[string]int{}
	names := map[string][]string{}
	for _, r := range d.rules {
		_, techniques := detect.Attack(r.Tags)
		for _, t := range techniques {
			names[t] = append(names[t], fmt.Sprintf("[%s](#%s)", r.Name, r.Name))
			if count[t] == nil {
				count[t] = map[string]int{}
			}
			for _, s := range r.Sources {
				count[t][s]++
			}
		}
	}
	d.b.WriteString("\n## Coverage\n\nHow many rules find a technique of ATT&CK from which source.\n\n| technique |")
	for _, s := range detect.Sources {
		fmt.Fprintf(&d.b, " %s |", s)
	}
	d.b.WriteString(" rules |\n|---|" + strings.Repeat("---|", len(detect.Sources)+1) + "\n")
	for _, t := range slices.Sorted(maps.Keys(names)) {
		fmt.Fprintf(&d.b, "| [%s](https://attack.mitre.org/techniques/%s/) |", t, strings.ReplaceAll(t, ".", "/"))
		for _, s := range detect.Sources {
			if n := count[t][s]; n > 0 {
				fmt.Fprintf(&d.b, " %d |", n)
			} else {
				d.b.WriteString("  |")
			}
		}
		fmt.Fprintf(&d.b, " %s |\n", strings.Join(names[t], ", "))
	}
}

// maxTypes is how many event types of a rule are written out.
const maxTypes = 12

func (d *docs) details() {
	d.b.WriteString("\n## What to do\n")
	for _, r := range d.rules {
		fmt.Fprintf(&d.b, "\n### %s\n\n**%s** (%s). %s\n\n", r.Name, r.Title, r.Level, r.Description)
		fmt.Fprintf(&d.b, "- First: %s\n", r.Respond)
		fmt.Fprintf(&d.b, "- Harmless causes: %s.\n", strings.Join(r.FalsePositives, "; "))
		types := d.set.Actions(r, d.types)
		for i, t := range types {
			types[i] = "`" + t + "`"
		}
		more := ""
		if len(types) > maxTypes {
			more = fmt.Sprintf(" and %d more", len(types)-maxTypes)
			types = types[:maxTypes]
		}
		fmt.Fprintf(&d.b, "- Event types: %s%s.\n", strings.Join(types, ", "), more)
		if c := r.Correlation; c != nil {
			fmt.Fprintf(&d.b, "- Correlation: %s.\n", sentence(c))
		}
		fmt.Fprintf(&d.b, "- File: [%s](../detections/%s)\n", r.File, r.File)
	}
}

// sentence says what a correlation counts.
func sentence(c *detect.Correlation) string {
	group := "all together"
	if len(c.GroupBy) > 0 {
		group = "for each " + strings.Join(c.GroupBy, ", ")
	}
	span := detect.FormatTimespan(c.Timespan)
	switch {
	case c.Silence:
		return fmt.Sprintf("no event for %s, %s, by the clock of the machine", span, group)
	case c.Type == detect.EventCount:
		return fmt.Sprintf("%d events within %s, %s", c.Count, span, group)
	case c.Type == detect.ValueCount:
		return fmt.Sprintf("%d values of %s within %s, %s", c.Count, c.Field, span, group)
	case c.Type == detect.Temporal:
		return fmt.Sprintf("%d of %s in any order within %s, %s", c.Count, parts(c), span, group)
	}
	return fmt.Sprintf("%s in this order within %s, %s", parts(c), span, group)
}

func parts(c *detect.Correlation) string {
	var names []string
	for _, r := range c.Rules {
		names = append(names, r.Name)
	}
	return strings.Join(names, ", ")
}
