package config

import (
	"log/slog"
	"slices"
)

// PullSettings are those of one source of `zitadel-siem pull`.
type PullSettings struct {
	Settings
	// Out is the way to the other side. Of its fields only those have a value
	// that have an option of their own here, and CAFile and Insecure, which are
	// the source's as well. Without Out.Forward records go to standard output.
	Out OutputSettings
}

// Pull is the table of `zitadel-siem pull`: the input's options, and those of
// the way to another Fluent Bit.
var Pull = Table[PullSettings]{
	Title:   Input.Title,
	Options: slices.Concat(lift(pullOptions(), (*PullSettings).source), PullForward),
	rules: append(liftRules(Input.rules, (*PullSettings).source), append([]func(*parser, *PullSettings){shareWays},
		liftRules([]func(*parser, *OutputSettings){destination, sharedKeys, clientCertificate}, (*PullSettings).out)...)...),
}

// PullForward are the options that the input has not.
var PullForward = forwardOptions()

func (s *PullSettings) source() *Settings    { return &s.Settings }
func (s *PullSettings) out() *OutputSettings { return &s.Out }

// pullOptions are those of the input, with a smaller buffer: Fluent Bit calls the input
// once a second, and the sidecar writes at once.
func pullOptions() Options {
	options := slices.Clone(inputOptions)
	i := slices.IndexFunc(options, func(o Option) bool { return o.Name == "buffer_size" })
	options[i].Default = "4M"
	return options
}

// forwardOptions are options of the output, with other texts where needed.
func forwardOptions() Options {
	var options Options
	for _, name := range []string{"forward", "tag", "shared_key", "shared_key_file", "cert_file", "cert_key_file", "ack_timeout", "self_hostname"} {
		o, _ := outputOptions.Lookup(name)
		switch name {
		case "forward":
			o.Doc = "Where the events go, by the forward protocol; without it, they go to standard output. Unencrypted only to loopback or with `insecure`"
		case "tag":
			o.Default, o.Doc, o.Example = "zitadel", "Tag that the records are sent with", "zitadel"
		case "ack_timeout":
			o.Bounds = "nothing else is sent during this time"
		}
		// A wrong name means what it means for the input.
		o.also = slices.DeleteFunc(slices.Clone(o.also), func(a string) bool { return inputOptions.Meant(a) != "" })
		options = append(options, o)
	}
	return lift(grouped("Options of the forward connection", options), (*PullSettings).out)
}

// lift makes options of a part options of the whole.
func lift[Part, Whole any](options Options, part func(*Whole) *Part) Options {
	lifted := slices.Clone(options)
	for i := range lifted {
		field := lifted[i].field
		lifted[i].field = func(settings any) any { return field(part(settings.(*Whole))) }
	}
	return lifted
}

func liftRules[Part, Whole any](rules []func(*parser, *Part), part func(*Whole) *Part) []func(*parser, *Whole) {
	var lifted []func(*parser, *Whole)
	for _, rule := range rules {
		lifted = append(lifted, func(p *parser, s *Whole) { rule(p, part(s)) })
	}
	return lifted
}

// shareWays makes one option count for both ways, to ZITADEL and from here.
func shareWays(p *parser, s *PullSettings) {
	s.Out.CAFile, s.Out.Insecure = s.CAFile, s.Insecure
	s.Out.Format = s.Format
	clear := s.URL != nil && s.URL.Scheme == "http" || !s.Out.Forward.TLS && !s.Out.Forward.Local()
	if s.Insecure && p.given["forward"] && !clear {
		p.warn("insecure", "", "has no effect, because both url and forward use TLS or stay on this machine", "remove it; use ca_file for a private certificate authority")
	}
}

// String is as that of [Settings].
func (s PullSettings) String() string { return Pull.show(&s) }

// GoString is as that of [Settings].
func (s PullSettings) GoString() string { return "config.PullSettings{" + s.String() + "}" }

// LogValue is as that of [Settings].
func (s PullSettings) LogValue() slog.Value { return Pull.attrs(&s) }
