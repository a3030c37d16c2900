package config

import "slices"

// Verify is the table of `zitadel-siem verify`: the options of pull that say where events are
// read, which of them are wanted, and how they are written.
var Verify = Table[PullSettings]{
	Title:   Input.Title,
	Options: verifyOptions(),
	rules: slices.Concat(
		liftRules([]func(*parser, *Settings){authentication, connection, times, crossFilters}, (*PullSettings).source),
		liftRules([]func(*parser, *FormatSettings){formatting, pseudonymizing}, func(s *PullSettings) *FormatSettings { return &s.Settings.Format }),
		liftRules([]func(*parser, *ChunkSettings){chunking}, func(s *PullSettings) *ChunkSettings { return &s.Settings.MaxChunk }),
		[]func(*parser, *PullSettings){shareWays},
		liftRules([]func(*parser, *OutputSettings){destination, sharedKeys, clientCertificate}, (*PullSettings).out)),
}

// goingOn are options of a reader that goes on, beside those for names and for webhooks.
var goingOn = []string{"state_path", "start", "end", "tag_by", "poll_interval", "sweep", "buffer_size", "commit_delay", "heartbeat"}

// verifyOptions leaves out what only a reader that goes on needs.
func verifyOptions() Options {
	options := slices.DeleteFunc(slices.Clone(Pull.Options), func(o Option) bool {
		_, enriches := enrichOptions.Lookup(o.Name)
		_, listens := listenOptions.Lookup(o.Name)
		return enriches || listens || slices.Contains(goingOn, o.Name)
	})
	for i := range options {
		if options[i].Name == "forward" {
			options[i].Doc = "With --repair, where the missing events go, by the forward protocol; without it, they go to standard output. Unencrypted only to loopback or with `insecure`"
		}
	}
	return options
}
