package config

import (
	"slices"
	"strings"
)

// EnrichSettings say what is remembered of events, to complete later ones.
type EnrichSettings struct {
	On    bool // never with the format raw
	Learn bool // never without On
	Size  int  // limit of the memory in bytes
}

// enrichOptions are those of a source. What has no source has nothing to learn from.
var enrichOptions = grouped("Options for names instead of ids", Options{
	{
		Name: "enrich", Kind: KindSwitch, Default: "on, with the format raw off", Example: "off",
		Doc: "Complete records by what earlier events said: names of users, organizations, projects and applications, user and address of a session, roles of a grant. " +
			"It is stored in `STATE_PATH.names`, in the clear",
		also:  []string{"enrichment", "names", "resolve", "resolve_names", "lookup"},
		field: in(func(s *Settings) any { return &s.Enrich.On }),
	},
	{
		Name: "learn", Kind: KindSwitch, Default: "on", Example: "off",
		Doc: "Where reading begins later than the log, read the event types that name users, organizations, projects and applications once from the beginning, without writing " +
			"them. Reading waits for it for up to 30 seconds",
		also:  []string{"learn_names", "backfill", "warm_up", "preload"},
		field: in(func(s *Settings) any { return &s.Enrich.Learn }),
	},
	{
		Name: "enrich_size", Kind: KindSize, Default: "80M", Min: "2M", Max: "4G", Example: "200M", Advanced: true,
		Bounds: "80M hold a million users",
		Doc:    "Limit of the memory for `enrich`; at the limit, what was not used for longest is forgotten",
		also:   []string{"enrich_memory", "names_size", "enrich_limit", "cache_size"},
		field:  in(func(s *Settings) any { return &s.Enrich.Size }),
	},
})

// enriching completes the options for names.
func enriching(p *parser, s *Settings) {
	if p.bad["format"] {
		return
	}
	e := &s.Enrich
	if s.Format.Raw() {
		if e.On {
			p.warn("enrich", "", "has no effect: format is raw", "remove it, or set another format")
		}
		e.On = false
	} else if !p.given["enrich"] {
		e.On = true
	}
	if !e.On {
		for _, name := range []string{"learn", "enrich_size"} {
			if p.given[name] && (name != "learn" || e.Learn) {
				p.warn(name, "", "has no effect: enrich is off", "remove it, or set enrich on and a format other than raw")
			}
		}
		e.Learn = false
	}
}

// pseudonymOptions are the options for tokens in the place of personal values.
func pseudonymOptions() Options {
	return Options{
		{
			Name: "pseudonyms", Kind: KindSwitch, Default: "off", Example: "on",
			Doc: "Replace names, e-mail addresses, phone numbers, client addresses and user agents by stable tokens, made with the key in `pseudonyms_key_file`. " +
				"The same value has the same token in every record",
			also:  []string{"pseudonym", "pseudonymize", "pseudonymise", "anonymize", "anonymise", "hash_pii", "gdpr"},
			field: in(func(s *FormatSettings) any { return &s.Pseudonyms }),
		},
		{
			Name: "pseudonyms_key_file", Kind: KindFile, Example: "/etc/zitadel-siem/pseudonyms.key",
			Doc:     "File with the key for `pseudonyms`: at least 32 random bytes in base64 or hex, for example from `openssl rand -base64 32`. With another key every token changes",
			also:    []string{"pseudonyms_key", "pseudonym_key", "pseudonym_key_file", "hmac_key", "hmac_key_file", "salt", "salt_file"},
			content: pseudonymKey, make: makePseudonymKey,
			field: in(func(s *FormatSettings) any { return &s.PseudonymsKeyFile }),
		},
	}
}

// pseudonymKey checks the shape of a key. Package pseudonym reads it.
func pseudonymKey(data []byte) error {
	if text := strings.TrimSpace(string(data)); len(text) < 43 || strings.ContainsAny(text, " \t\r\n") { // 32 bytes in base64
		return &valueError{"does not hold a key of at least 32 bytes in base64 or hex", "make a new one: openssl rand -base64 32"}
	}
	return nil
}

// makePseudonymKey is the command that makes a key.
func makePseudonymKey(path string) string {
	return "to make a key: (umask 077; openssl rand -base64 32 > " + ShellWord(path) + ")"
}

// pseudonymizing wants a key for pseudonyms, and pseudonyms for a key.
func pseudonymizing(p *parser, s *FormatSettings) {
	o, ok := p.options.Lookup("pseudonyms_key_file")
	switch given := p.given["pseudonyms_key_file"]; {
	case !ok || p.bad["pseudonyms"]:
	case s.Pseudonyms && !given:
		p.fail(o.Name, "", "is missing, and pseudonyms needs it", makePseudonymKey(o.Example)+", then set "+o.Name+" "+o.Example)
	case given && !s.Pseudonyms:
		p.warn(o.Name, "", "has no effect: pseudonyms is off", "remove it, or set pseudonyms on")
	}
}

// FiltersEvents reports whether a filter keeps events from the reader that other
// events are understood by.
func (s *Settings) FiltersEvents() bool {
	return slices.ContainsFunc([][]string{s.EventTypes, s.ExcludeEventTypes, s.AggregateTypes, s.AggregateIDs, s.ResourceOwners, s.EditorUserIDs},
		func(list []string) bool { return len(list) > 0 })
}
