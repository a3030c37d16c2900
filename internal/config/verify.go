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
		[]func(*parser, *PullSettings){shareWays},
		liftRules([]func(*parser, *OutputSettings){destination, sharedKeys, clientCertificate}, (*PullSettings).out)),
}

// verifyOptions leaves out what only a reader that goes on needs.
func verifyOptions() Options {
	without := []string{
		"state_path", "start", "end", "tag_by", "poll_interval", "sweep", "buffer_size", "commit_delay", "heartbeat",
		"enrich", "learn", "enrich_size",
		"listen", "listen_address", "listen_keys_dir", "listen_v1_dir", "listen_cert_file", "listen_cert_key_file", "listen_plain", "spool_path", "spool_size", "listen_bodies",
		"call_addresses", "listen_private_key_file",
	}
	options := slices.DeleteFunc(slices.Clone(Pull.Options), func(o Option) bool { return slices.Contains(without, o.Name) })
	for i := range options {
		if options[i].Name == "forward" {
			options[i].Doc = "With --repair, where the missing events go, by the forward protocol; without it, they go to standard output. Unencrypted only to loopback or with `insecure`"
		}
	}
	return options
}
