package config

import (
	"errors"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// parser reads one set of values into one struct of settings.
type parser struct {
	options  Options
	settings any // a pointer to them
	opts     ParseOptions
	now      time.Time
	raw      map[string]string
	given    map[string]bool // set and not empty, right or wrong
	bad      map[string]bool // has a problem
	secrets  []string        // values that no message may repeat
	warnings []Problem
	problems []Problem
}

func newParser(options Options, settings any, values map[string]string, opts ParseOptions) *parser {
	p := &parser{options: options, settings: settings, opts: opts, now: time.Now(), raw: values, given: map[string]bool{}, bad: map[string]bool{}}
	if opts.Now != nil {
		p.now = opts.Now()
	}
	return p
}

func (p *parser) fail(option, value, why, fix string) {
	p.bad[option] = true
	p.problems = append(p.problems, p.scrub(Problem{option, value, why, fix}))
}

func (p *parser) warn(option, value, why, fix string) {
	p.warnings = append(p.warnings, p.scrub(Problem{option, value, why, fix}))
}

// refuse is fail for what a value's own check says.
func (p *parser) refuse(o Option, value string, err error) {
	var ve *valueError
	if !errors.As(err, &ve) {
		ve = &valueError{why: err.Error()}
	}
	fix := ve.fix
	if fix == "" && o.Example != "" {
		fix = "for example " + o.Example
	}
	if likeSecret(value) && o.Kind == KindFile {
		fix = "this looks like the secret itself; the option needs the path of a file that holds it"
		if plain, ok := p.options.Lookup(strings.TrimSuffix(o.Name, "_file")); ok && plain.Secret {
			fix += ", or use " + plain.Name
		}
	}
	p.fail(o.Name, p.show(o, value), ve.why, fix)
}

// show repeats a value as far as that is safe.
func (p *parser) show(o Option, value string) string {
	switch {
	case o.Secret, o.secretFile() && likeSecret(value), p.holdsSecret(value):
		return conceal(value)
	case o.Kind == KindURL:
		return showURL(value)
	case o.Kind == KindForward:
		return showForward(value)
	}
	return quote(value)
}

// Shorter secrets are not looked for in other values: the messages would
// lose their words, and they are no secrets.
const minSecret = 8

// holdsSecret reports whether a secret was also written into a second option.
func (p *parser) holdsSecret(value string) bool {
	return slices.ContainsFunc(p.secrets, func(s string) bool { return len(s) >= minSecret && strings.Contains(value, s) })
}

// scrub takes such a secret out of whatever else repeats it, in small letters
// too, as a host name is written.
func (p *parser) scrub(pr Problem) Problem {
	for _, secret := range p.secrets {
		if len(secret) < minSecret {
			continue
		}
		for _, field := range []*string{&pr.Option, &pr.Value, &pr.Why, &pr.Fix} {
			*field = strings.NewReplacer(secret, redacted, strings.ToLower(secret), redacted).Replace(*field)
		}
	}
	return pr
}

// sort brings problems into the order of the table, unknown names last.
func (p *parser) sort(list []Problem) {
	place := func(name string) int {
		if i := slices.IndexFunc(p.options, func(o Option) bool { return o.Name == name }); i >= 0 {
			return i
		}
		return len(p.options)
	}
	slices.SortStableFunc(list, func(a, b Problem) int { return place(a.Option) - place(b.Option) })
}

// keepSecrets notes what no message may repeat, before there is any message.
// The longest come first: one may be part of another.
func (p *parser) keepSecrets() {
	for name, v := range p.raw {
		v = strings.TrimSpace(v)
		o, ok := p.options.Lookup(name)
		if v == "" || unexpanded.MatchString(v) {
			continue
		}
		if !ok { // may be a token under a wrong name
			o, _ = p.options.Lookup(p.options.NearestOption(name))
			o.Secret = o.Secret || likeSecret(v)
		}
		if o.Secret || o.secretFile() && likeSecret(v) {
			p.secrets = append(p.secrets, v)
		}
	}
	slices.SortFunc(p.secrets, func(a, b string) int { return len(b) - len(a) })
}

func (p *parser) unknownNames() {
	for _, name := range slices.Sorted(maps.Keys(p.raw)) {
		if _, ok := p.options.Lookup(name); !ok {
			p.fail(shortName(name), "", "is not an option of zitadel-siem", didYouMean(p.options.NearestOption(name)))
		}
	}
	for _, name := range p.opts.Unknown {
		p.given[name] = true
	}
}

func shortName(name string) string {
	if q := quote(name); len(q) != len(name)+2 {
		return q
	}
	return name
}

// unexpanded is a variable that nobody replaced: ${X} anywhere, $X alone.
var unexpanded = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)[^}]*\}|^\$([A-Za-z_][A-Za-z0-9_]*)$`)

// option parses one option into its field.
func (p *parser) option(o Option) {
	v, set := p.raw[o.Name]
	v = strings.TrimSpace(v)
	if !set || slices.Contains(p.opts.Unknown, o.Name) {
		p.store(o, o.fallback())
		return
	}
	p.given[o.Name] = true
	switch m := unexpanded.FindStringSubmatch(v); {
	case v == "":
		p.fail(o.Name, "", "is set but empty", "remove it, or write it as "+o.Example)
	case m != nil:
		name := m[1] + m[2]
		p.fail(o.Name, "", "contains the variable ${"+name+"}, which was not replaced by its value", unexpandedFix(name))
	case strings.Contains(v, "${"):
		p.fail(o.Name, "", "contains a ${...}, which was not replaced by its value", "write the value itself")
	case !utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl) && !o.Secret:
		p.fail(o.Name, p.show(o, v), "contains control characters or is not UTF-8", "for example "+o.Example)
	case quoted(v):
		p.fail(o.Name, p.show(o, v[1:len(v)-1]), "is in quotes, which would be part of the value", "write it without quotes")
	default:
		p.store(o, v)
	}
}

func quoted(v string) bool {
	return len(v) > 1 && (v[0] == '"' || v[0] == '\'') && v[len(v)-1] == v[0]
}

// store parses v, "" for a default that is nothing, and checks its bounds.
func (p *parser) store(o Option, v string) {
	if v == "" {
		return
	}
	var err error
	switch f := o.field(p.settings).(type) {
	case *string:
		*f = v
		if err = p.text(o, v); err == nil && o.Kind == KindEnum {
			*f, err = parseEnum(v, o.Values)
		}
	case *Secret:
		*f, err = Secret(v), o.text(v)
	case *bool:
		*f, err = parseSwitch(v)
	case *int:
		parse := parseNumber
		if o.Kind == KindSize {
			parse = parseSize
		}
		if *f, err = parse(v); err == nil {
			err = within(o, *f, parse)
		}
	case *time.Duration:
		if *f, err = parseDuration(v); err == nil {
			err = within(o, *f, parseDuration)
		}
	case *time.Time:
		*f, err = parseTime(v, p.now)
	case *[]string:
		if *f, err = parseList(v); err == nil && o.items != nil {
			o.items(p, o, f)
		}
	case *Start:
		*f, err = parseStart(v)
	case *Forward:
		*f, err = parseForward(v)
	case **url.URL:
		*f, err = parseURL(v)
	}
	if err != nil {
		p.refuse(o, v, err)
	}
}

// text checks options that are plain strings. What concerns files reports by
// itself, since it may warn.
func (p *parser) text(o Option, v string) error {
	switch {
	case o.Kind == KindFile:
		p.checkFile(o, v)
	case o.Kind == KindPath:
		p.checkStatePath(o, v)
	case o.text != nil:
		return o.text(v)
	}
	return nil
}
