package config

import "slices"

// Detect is the table of `zitadel-siem detect`: the way by which alerts go.
var Detect = Table[OutputSettings]{
	Title:   "Options of the forward connection",
	Options: detectOptions(),
	rules:   []func(*parser, *OutputSettings){destination, sharedKeys, clientCertificate},
}

// detectOptions are options of the output, with other texts where needed.
func detectOptions() Options {
	var options Options
	for _, name := range []string{"forward", "shared_key", "shared_key_file", "ca_file", "cert_file", "cert_key_file", "insecure", "tag", "ack_timeout", "self_hostname", "chunk_size"} {
		o, _ := outputOptions.Lookup(name)
		o.also = slices.Clone(o.also)
		switch name {
		case "forward":
			o.Doc = "Where the alerts go, by the forward protocol; without it, they go to standard output. Unencrypted only to loopback or with `insecure`"
		case "tag":
			o.Default, o.Doc, o.Example = "zitadel.alert", "Tag that the alerts are sent with", "zitadel.alert"
		case "ack_timeout":
			o.Bounds = "nothing else is sent during this time"
		}
		options = append(options, o)
	}
	return options
}
