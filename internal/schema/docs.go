package schema

import (
	"fmt"
	"io"
	"strings"
)

// WriteDocs writes docs/events.md: all types and what they become.
func (t *Table) WriteDocs(w io.Writer) error {
	var b strings.Builder
	b.WriteString(`# Event types

Generated from ` + "`internal/schema/mapping.yaml` by `make docs`" + `. Do not edit.

What each event type of ZITADEL becomes in ECS ` + ecsVersion + ` and OCSF 1.8.0. ` + "`zitadel-siem explain TYPE`" + ` shows an example
of a type in every format, and where each field comes from.

- **Tier:** ` + "`core`" + ` is always written, ` + "`useful`" + ` by default, ` + "`noise`" + ` only when you ask for it.
- **User** is who authenticated, or whom a change was made to. *earlier* means that only an earlier event says it.
- **OCSF 1.9.0** is given where it differs. A type whose class requires a user becomes 3004 Update where the user is not known.
- A type that is not in this list goes by the rules at the end, and its records have ` + "`unknown_type: true`" + `.
`)
	section := ""
	for _, r := range t.Rows() {
		first, _, _ := strings.Cut(r.Type, ".")
		if r.own {
			continue
		}
		if first != section {
			section = first
			fmt.Fprintf(&b, "\n## %s\n\n| type | what happened | tier | severity | outcome | ECS category / type | OCSF 1.8.0 | OCSF 1.9.0 | user |\n|---|---|---|---|---|---|---|---|---|\n", section)
		}
		r.docs(&b)
	}
	b.WriteString("\n## Other records\n\n| type | what happened | tier | severity | outcome | ECS category / type | OCSF 1.8.0 | OCSF 1.9.0 | user |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range t.Rows() {
		if r.own {
			r.docs(&b)
		}
	}
	b.WriteString("\n## Rules for unknown types\n\nThe first rule that matches decides.\n\n| rule | tier | severity | outcome | OCSF 1.8.0 |\n|---|---|---|---|---|\n")
	for _, r := range t.rules {
		g := t.groups[r.group]
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", strings.ReplaceAll(r.match, "|", `\|`), g.Tier, g.Severity, g.Outcome, g.OCSF)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Row) docs(b *strings.Builder) {
	user := r.User
	if strings.HasPrefix(user, "state.") {
		user = "earlier"
	}
	next := ""
	if r.OCSF19 != r.OCSF {
		next = r.OCSF19.String()
	}
	title := r.Title
	if r.Legacy {
		title += " (old versions)"
	}
	ecs := ""
	if len(r.Category) > 0 {
		ecs = strings.Join(r.Category, ", ") + " / " + strings.Join(r.Kinds, ", ")
	}
	fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s | %s | %s | %s | %s |\n", r.Type, title, r.Tier, r.Severity, r.Outcome,
		ecs, r.OCSF, next, strings.ReplaceAll(user, "|", ", "))
}
