package verify

import (
	"regexp"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/zitadel-siem/zitadel-siem/internal/pseudonym"
	"github.com/zitadel-siem/zitadel-siem/internal/redact"
)

// difference is what differs between the record of an event and one of the copy: names of
// fields, no values.
type difference struct {
	altered  []string
	redacted []string // only the copy has [REDACTED]
	clear    []string // only the record of this run has [REDACTED]
	tokens   []string // both have a pseudonym, of different keys
}

const (
	// maxFields bounds the names of one difference.
	maxFields = 20
	// maxMet bounds the names that are kept of a foreign record while it is compared.
	maxMet = 1000
)

// keep adds a copy of a name. A name that has no room is one of many others.
func keep(names []string, name string) []string {
	if len(names) < maxMet {
		names = append(names, strings.Clone(name))
	}
	return names
}

// differ compares two records field by field.
func (f *fields) differ(want, got gjson.Result) (d difference) {
	type field struct {
		value string
		role  role
	}
	wanted := map[string]field{}
	f.walk(want, func(path, value string, r role) {
		if r != ignored {
			wanted[strings.Clone(path)] = field{strings.Clone(value), r}
		}
	})
	met := map[string]bool{}
	var hidden []string // what the copy has redacted as a whole
	f.walk(got, func(path, value string, r role) {
		w, ok := wanted[path]
		switch {
		case !ok && (r != closed):
		case !ok && value == redact.Redacted:
			hidden = keep(hidden, path+".")
			d.redacted = keep(d.redacted, path)
		case !ok && above(path, func(parent string) bool { return wanted[parent].value == redact.Redacted }):
			d.clear = keep(d.clear, path)
		case !ok:
			d.altered = keep(d.altered, path)
		case met[path]: // twice: readers take the first or the last one
			d.altered = keep(d.altered, path)
		default:
			met[strings.Clone(path)] = true
			if value == w.value {
				return
			}
			switch name := strings.Clone(path); {
			case fits(value, w.value):
				d.redacted = append(d.redacted, name)
			case fits(w.value, value):
				d.clear = append(d.clear, name)
			case f.anyKey && masked(value) == masked(w.value):
				d.tokens = append(d.tokens, name)
			default:
				d.altered = append(d.altered, name)
			}
		}
	})
	shown := map[string]bool{} // parents of what the copy has
	for _, name := range d.clear {
		above(name, func(parent string) bool { shown[parent] = true; return false })
	}
	for path, w := range wanted {
		switch {
		case met[path]:
		case w.value == redact.Redacted && shown[path]:
		case slices.ContainsFunc(hidden, func(parent string) bool { return strings.HasPrefix(path, parent) }):
		default:
			d.altered = append(d.altered, path)
		}
	}
	d.altered, d.redacted, d.clear, d.tokens = tidy(d.altered), tidy(d.redacted), tidy(d.clear), tidy(d.tokens)
	return d
}

// fits reports whether value can be what hidden was before it was redacted: the text around
// each [REDACTED] must be in it, in this order.
func fits(hidden, value string) bool {
	parts := strings.Split(hidden, redact.Redacted)
	first, last := parts[0], parts[len(parts)-1]
	if len(parts) == 1 || len(value) < len(first)+len(last) || !strings.HasPrefix(value, first) || !strings.HasSuffix(value, last) {
		return false
	}
	value = value[len(first) : len(value)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		at := strings.Index(value, part)
		if at < 0 {
			return false
		}
		value = value[at+len(part):]
	}
	return true
}

// above reports whether is holds for a parent of path.
func above(path string, is func(parent string) bool) bool {
	for i := len(path) - 1; i > 0; i-- {
		if path[i] == '.' && is(path[:i]) {
			return true
		}
	}
	return false
}

// tidy sorts names, and bounds what foreign text can do to a report.
func tidy(names []string) []string {
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > maxFields {
		names = append(names[:maxFields:maxFields], "…")
	}
	for i, n := range names {
		if len(n) > 200 {
			names[i] = strings.ToValidUTF8(n[:200], "") + "…"
		}
	}
	return names
}

// tokens find pseudonyms, also in a text such as userName=user-...
var tokens = func() *regexp.Regexp {
	var kinds []string
	for _, k := range [...]pseudonym.Kind{pseudonym.User, pseudonym.Mail, pseudonym.Phone, pseudonym.IP, pseudonym.Name, pseudonym.Agent, pseudonym.Data} {
		kinds = append(kinds, regexp.QuoteMeta(string(k)))
	}
	return regexp.MustCompile(`\b(` + strings.Join(kinds, "|") + `)[a-z2-7]{26}\b`)
}()

// masked is a value without what only the key decides: the kind of a pseudonym stays.
func masked(value string) string {
	return tokens.ReplaceAllString(value, "${1}")
}
