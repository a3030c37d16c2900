package config

import (
	"net/url"
	"slices"
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/keyfile"
)

// SetupSettings are those of `zitadel-siem setup`. Of the embedded settings, only those of
// the connection to ZITADEL have values.
type SetupSettings struct {
	Settings
	Endpoint *url.URL // where ZITADEL reaches us; scheme and host[:port]
	Name     string   // of the target, and of the key file
	Events   []string // all, event types, groups
	KeysDir  string
	Methods  []string // of calls: WritingMethods, services, methods
}

// WritingMethods is the item of the option methods that means all that write.
const WritingMethods = "writing"

func (s *SetupSettings) source() *Settings { return &s.Settings }

// SetupAccess are the options of `zitadel-siem setup` that it shares with pull.
var SetupAccess = Table[SetupSettings]{Title: "Access to ZITADEL", Options: accessOptions()}

// Setup is the table of `zitadel-siem setup`. SetupRemove is that of its --remove, which
// needs fewer options.
var (
	Setup       = setupTable(receiving)
	SetupRemove = setupTable()
)

func setupTable(rules ...func(*parser, *SetupSettings)) Table[SetupSettings] {
	access := liftRules([]func(*parser, *Settings){authentication, connection}, (*SetupSettings).source)
	return Table[SetupSettings]{
		Title:   "Options of the target",
		Options: slices.Concat(SetupAccess.Options, setupOptions),
		rules:   append(access, rules...),
	}
}

// accessOptions are options of the input, with other texts where necessary.
func accessOptions() Options {
	var options Options
	for _, name := range []string{"url", "token", "token_file", "key_file", "client_id", "client_secret_file", "transport", "ca_file", "insecure", "request_timeout"} {
		o, _ := inputOptions.Lookup(name)
		switch name {
		case "url":
			o.also = slices.DeleteFunc(slices.Clone(o.also), func(a string) bool { return a == "endpoint" })
		case "token":
			o.Doc = strings.Replace(o.Doc, "IAM_OWNER_VIEWER", "IAM_OWNER", 1)
		case "insecure":
			o.Doc = "Allow http to a host other than loopback: the token then travels unencrypted to `url`, and all events to the endpoint"
		}
		options = append(options, o)
	}
	return lift(options, (*SetupSettings).source)
}

var setupOptions = Options{
	{
		Name: "endpoint", Kind: KindURL, Example: "https://siem.example.com:8443",
		Doc:   "URL at which ZITADEL reaches `webhook_listen` of the reader: scheme, host and port",
		field: in(func(s *SetupSettings) any { return &s.Endpoint }),
	},
	{
		Name: "name", Kind: KindText, Default: "zitadel-siem", Example: "zitadel-siem",
		Doc:   "Name of the target and its key file, and the path of its URL",
		text:  targetName,
		field: in(func(s *SetupSettings) any { return &s.Name }),
	},
	{
		Name: "events", Kind: KindList, Default: "all", Example: "user,session,instance.member.added",
		Doc:   "`all`, or event types and groups; the group `user` means every type that begins with it",
		also:  []string{"event_types", "event", "types", "groups"},
		items: checkConditions,
		field: in(func(s *SetupSettings) any { return &s.Events }),
	},
	{
		Name: "methods", Kind: KindList, Default: WritingMethods, Example: "zitadel.session.v2.SessionService,zitadel.user.v2.UserService/AddHumanUser",
		Doc:   "With `--calls`: `writing`, which is every method that changes something, or services and methods",
		also:  []string{"method", "services", "call_methods"},
		field: in(func(s *SetupSettings) any { return &s.Methods }),
	},
	{
		Name: "keys_dir", Kind: KindText, Example: "/etc/zitadel-siem/targets",
		Doc:   "Directory of the key file: `webhook_keys_dir` of the reader",
		also:  []string{"webhook_keys_dir", "keys", "key_dir"},
		text:  noSpace,
		field: in(func(s *SetupSettings) any { return &s.KeysDir }),
	},
}

func targetName(v string) error {
	if !keyfile.ValidName(v) {
		return &valueError{"is not a valid name for a key file: use at most 64 letters, digits, _ and -, and no - at the beginning", ""}
	}
	return nil
}

// checkConditions checks only the form: ZITADEL knows which types exist.
func checkConditions(p *parser, o Option, items *[]string) {
	for _, item := range *items {
		name := strings.TrimSuffix(item, ".*")
		switch {
		case strings.ContainsAny(name, "*?%"):
			p.fail(o.Name, p.show(o, item), "is a pattern", "a group is the beginning of event types up to a dot: user, user.human")
		case strings.ContainsAny(name, " \t;|/"):
			p.fail(o.Name, p.show(o, item), "is neither an event type nor a group", "separate by commas: "+quote(splitLoose(item)))
		}
	}
}

// receiving checks that the endpoint is known, and that events are encrypted on the way.
func receiving(p *parser, s *SetupSettings) {
	if !p.given["endpoint"] {
		p.fail("endpoint", "", "is missing", "for example https://siem.example.com:8443")
	}
	if !p.given["keys_dir"] {
		p.fail("keys_dir", "", "is missing: the signing key of the target goes there", "for example /etc/zitadel-siem/targets")
	}
	e := s.Endpoint
	if e == nil || e.Scheme != "http" || loopback(e.Hostname()) || p.bad["endpoint"] || p.bad["insecure"] {
		return
	}
	if s.Insecure {
		p.warn("insecure", "", "sends all events unencrypted to "+e.Host, "use https if others share the network")
		return
	}
	p.fail("endpoint", quote(e.String()), "would receive events unencrypted on a host other than loopback", "did you mean https://"+e.Host+"? Otherwise set insecure on")
}
