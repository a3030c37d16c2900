package verify

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
)

// WriteJSON writes the report for programs.
func (r *Result) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// kind is one kind of difference, for people.
type kind struct {
	name, meaning string
	f             *Findings
}

func (r *Result) kinds() []kind {
	return []kind{
		{"missing", "in ZITADEL, not in the copy", &r.Missing},
		{"foreign", "in the copy, not in ZITADEL", &r.Foreign},
		{"doubled", "further records of an event that the copy has already", &r.Doubled},
		{"altered", "records that do not say what the event says", &r.Altered},
		{"broken", "lines that cannot be read", &r.Broken},
		{"redacted", "equal, except for values that only one side redacts" + accepted(r.AcceptRedacted), &r.Redacted},
		{"pseudonyms", "equal, except for pseudonyms that cannot be compared without the key" + accepted(r.AcceptPseudonyms), &r.Pseudonyms},
	}
}

func accepted(yes bool) string {
	if yes {
		return "; accepted"
	}
	return ""
}

// headline is the verdict in one sentence.
func (r *Result) headline() string {
	switch r.Verdict {
	case Complete:
		if n := r.Redacted.Count + r.Pseudonyms.Count; n > 0 {
			return "The copy is complete. " + terminal.Thousands(n) + " records hide values that were not compared, which was accepted; everything else is what ZITADEL has."
		}
		return "The copy is complete, and it is what ZITADEL has."
	case Differs:
		return "The copy differs from ZITADEL."
	}
	return "Not verified: " + r.Why
}

// facts are what was compared, as pairs.
func (r *Result) facts() [][2]string {
	facts := [][2]string{
		{"instance", r.Instance + " (" + r.URL + ")"},
		{"span", r.From.Format(time.RFC3339Nano) + " to " + r.To.Format(time.RFC3339Nano) + " (exclusive)"},
		{"format", r.Format + ", id at " + r.IDPath},
	}
	if r.Filters != "" {
		facts = append(facts, [2]string{"filters", r.Filters})
	}
	facts = append(facts,
		[2]string{"events of ZITADEL", terminal.Thousands(r.ZITADEL.Events) + ", of which " + terminal.Thousands(r.ZITADEL.LeftOut) + " are left out by the tier"},
		[2]string{"records of the copy", terminal.Thousands(r.Copy.Records) + ", of which " + terminal.Thousands(r.Copy.Equal) + " are equal to their event"},
	)
	for _, c := range []struct {
		n    uint64
		text string
	}{
		{r.Copy.Outside, "outside the span"},
		{r.Copy.Filtered, "of events that the options leave out"},
		{r.Copy.Retention, "older than what ZITADEL shows"},
		{r.Copy.NoEvents, "API calls, lines of the log, heartbeats or alerts"},
		{r.Copy.Unknown, "no records of zitadel-siem"},
	} {
		if c.n > 0 {
			facts = append(facts, [2]string{"not compared", terminal.Thousands(c.n) + " " + c.text})
		}
	}
	for _, name := range sorted(r.Copy.Instances) {
		facts = append(facts, [2]string{"not compared", terminal.Thousands(r.Copy.Instances[name]) + " of the instance " + quoted(name)})
	}
	if r.Repaired > 0 {
		facts = append(facts, [2]string{"repaired", terminal.Thousands(r.Repaired) + " missing events were emitted and acknowledged"})
	}
	return append(facts, [2]string{"program", "zitadel-siem " + r.Version + ", " + r.Began.Format(time.RFC3339) + ", " + terminal.Roughly(r.Ended.Sub(r.Began))})
}

// quoted is foreign text that cannot write to a terminal.
func quoted(s string) string { return strconv.Quote(s) }

// escaped is quoted without the quotes around it.
func escaped(s string) string {
	s = quoted(s)
	return s[1 : len(s)-1]
}

func sorted(m map[string]uint64) []string {
	return slices.Sorted(maps.Keys(m))
}

// shown is how many findings of a kind a person gets on a terminal.
const shown = 20

// WriteText writes the report for a terminal.
func (r *Result) WriteText(w io.Writer) error {
	var b strings.Builder
	for _, f := range r.facts() {
		fmt.Fprintf(&b, "%-20s %s\n", f[0]+":", f[1])
	}
	for _, k := range r.kinds() {
		fmt.Fprintf(&b, "%-20s %s", k.name+":", terminal.Thousands(k.f.Count))
		if k.f.Count == 0 {
			b.WriteByte('\n')
			continue
		}
		fmt.Fprintf(&b, " (%s)\n", k.meaning)
		for i, x := range k.f.List {
			if i == shown {
				fmt.Fprintf(&b, "  and %s more; --report FILE lists them\n", terminal.Thousands(k.f.Count-shown))
				break
			}
			fmt.Fprintf(&b, "  %s\n", strings.Join(x.parts(), "  "))
		}
	}
	if names := sorted(r.Copy.Added); len(names) > 0 {
		if len(names) > shown {
			names = append(names[:shown:shown], "...")
		}
		for i := range names {
			names[i] = escaped(names[i])
		}
		fmt.Fprintf(&b, "%-20s %s\n", "added by others:", strings.Join(names, ", "))
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "%-20s %s\n", "note:", n)
	}
	b.WriteString(r.headline())
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

// parts are the columns of a finding that have something. Foreign text is quoted.
func (x *Finding) parts() []string {
	var parts []string
	add := func(s string) {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if !x.Time.IsZero() {
		add(x.Time.UTC().Format(time.RFC3339Nano))
	}
	if x.ID != "" {
		add(escaped(x.ID))
	}
	if x.Type != "" {
		add(escaped(x.Type))
	}
	add(x.Place)
	if len(x.Fields) > 0 {
		add("fields " + escaped(strings.Join(x.Fields, ", ")))
	}
	add(x.Reason)
	return parts
}

// style makes a page that prints well, without scripts and without anything from elsewhere.
const style = `body{font:14px/1.4 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em;color:#111;background:#fff}
h1{font-size:1.5em}h2{font-size:1.1em;margin-top:2em}table{border-collapse:collapse;width:100%}
th{white-space:nowrap}td,th{border-bottom:1px solid #ccc;padding:.25em .6em;text-align:left;vertical-align:top}td{overflow-wrap:anywhere}
.verdict{border:2px solid;padding:.6em 1em;font-weight:bold}.well{color:#0a5c2b}.bad{color:#9b1c1c}
code{font:12px/1.4 ui-monospace,monospace}@media print{body{margin:0;max-width:none}tr{break-inside:avoid}thead{display:table-header-group}}`

// WriteHTML writes the report as a page to print.
func (r *Result) WriteHTML(w io.Writer) error {
	p := &pageWriter{w: w}
	p.put(`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`)
	p.put("<title>Verification of the audit trail of ", html.EscapeString(r.Instance), "</title><style>", style, "</style></head><body>\n")
	p.put("<h1>Verification of the audit trail</h1>\n")
	class := "bad"
	if r.Verdict == Complete {
		class = "well"
	}
	p.put(`<p class="verdict `, class, `">`, html.EscapeString(r.headline()), "</p>\n<table>\n")
	for _, f := range r.facts() {
		p.row("th", f[0], f[1])
	}
	for _, k := range r.kinds() {
		p.row("th", k.name, terminal.Thousands(k.f.Count)+" ("+k.meaning+")")
	}
	p.put("</table>\n")
	if len(r.Notes) > 0 {
		p.put("<h2>Notes</h2>\n<ul>\n")
		for _, n := range r.Notes {
			p.put("<li>", html.EscapeString(n), "</li>\n")
		}
		p.put("</ul>\n")
	}
	p.put("<h2>Files</h2>\n<table><thead><tr><th>file</th><th>bytes</th><th>SHA-256</th></tr></thead><tbody>\n")
	for _, f := range r.Files {
		p.row("td", f.Name, terminal.Thousands(uint64(f.Bytes)), f.SHA256)
	}
	p.put("</tbody></table>\n")
	for _, k := range r.kinds() {
		p.findings(k)
	}
	if names := sorted(r.Copy.Added); len(names) > 0 {
		p.put("<h2>Fields that were added</h2>\n<p>The copy has them, and the event does not: names from earlier events, addresses of API calls, or what a pipeline of the SIEM adds. They are not compared.</p>\n")
		p.put("<table><thead><tr><th>field</th><th>records</th></tr></thead><tbody>\n")
		for _, name := range names {
			p.row("td", name, terminal.Thousands(r.Copy.Added[name]))
		}
		p.put("</tbody></table>\n")
	}
	p.put("</body></html>\n")
	return p.err
}

// pageWriter keeps the first error.
type pageWriter struct {
	w   io.Writer
	err error
}

func (p *pageWriter) put(parts ...string) {
	for _, s := range parts {
		if p.err == nil {
			_, p.err = io.WriteString(p.w, s)
		}
	}
}

// row escapes its cells.
func (p *pageWriter) row(first string, cells ...string) {
	p.put("<tr>")
	for i, c := range cells {
		tag := "td"
		if i == 0 {
			tag = first
		}
		p.put("<", tag, ">", html.EscapeString(c), "</", tag, ">")
	}
	p.put("</tr>\n")
}

func (p *pageWriter) findings(k kind) {
	if k.f.Count == 0 {
		return
	}
	p.put("<h2>", html.EscapeString(k.name), ": ", terminal.Thousands(k.f.Count), "</h2>\n<p>", html.EscapeString(k.meaning))
	if n := uint64(len(k.f.List)); n < k.f.Count {
		p.put(". The first ", terminal.Thousands(n), " are listed.")
	}
	p.put("</p>\n<table><thead><tr><th>id</th><th>type</th><th>time</th><th>place</th><th>fields</th><th>reason</th></tr></thead><tbody>\n")
	for _, x := range k.f.List {
		at := ""
		if !x.Time.IsZero() {
			at = x.Time.UTC().Format(time.RFC3339Nano)
		}
		p.row("td", x.ID, x.Type, at, x.Place, strings.Join(x.Fields, ", "), x.Reason)
	}
	p.put("</tbody></table>\n")
}
