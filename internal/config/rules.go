package config

import (
	"cmp"
	"strings"
	"time"
)

// authentication checks that there is exactly one way to authenticate.
func authentication(p *parser, _ *Settings) {
	const ways = "token, token_file, key_file, or client_id with client_secret_file"
	var given []string
	for _, name := range []string{"token", "token_file", "key_file"} {
		if p.given[name] {
			given = append(given, name)
		}
	}
	id, secret := p.given["client_id"], p.given["client_secret_file"]
	if id || secret {
		given = append(given, "client_id")
	}
	switch {
	case id && !secret:
		p.fail("client_id", "", "is given without client_secret_file", "add client_secret_file, the path of the file that holds the secret")
	case secret && !id:
		p.fail("client_secret_file", "", "is given without client_id", "add client_id")
	}
	switch len(given) {
	case 0:
		p.fail("token", "", "is missing, and no other way to authenticate is configured", "use exactly one of "+ways)
	case 1:
	default:
		p.fail(given[0], "", "is given together with another way to authenticate: "+strings.Join(given[1:], ", "),
			"keep exactly one of "+ways)
	}
}

func state(p *parser, s *Settings) {
	if p.opts.Shared {
		if p.given["state_path"] {
			p.fail("state_path", "", "contradicts the setting state, which keeps all states in a store", "remove one of the two; `zitadel-siem state import` takes files into the store")
		}
		return
	}
	if p.given["state_path"] {
		return
	}
	if p.opts.StateDir != "" && s.URL != nil {
		s.StateDir, s.StatePath = p.opts.StateDir, StateIn(p.opts.StateDir, cmp.Or(s.Instance, s.URL.Host))
		p.given["state_path"] = true
	}
	if p.opts.StateDir != "" { // without url there is a problem already
		return
	}
	o, _ := p.options.Lookup("state_path")
	if p.opts.NeedState {
		p.fail("state_path", "", "is missing: without it, every restart would begin at start", "for example "+o.Example)
		return
	}
	p.warn("state_path", "", "is not set: nothing is saved, and the next run begins at start again", "for example "+o.Example)
}

// connection checks that the traffic to url is encrypted, and sets the default of the
// instance label.
func connection(p *parser, s *Settings) {
	u := s.URL
	if u == nil {
		if !p.given["url"] {
			p.fail("url", "", "is missing", "for example https://zitadel.example.com")
		}
		return
	}
	if s.Instance == "" {
		s.Instance = u.Host
	}
	clear := u.Scheme == "http"
	switch {
	case clear && loopback(u.Hostname()):
	case clear && s.Insecure:
		p.warn("insecure", "", "sends the token and all events unencrypted to "+u.Host, "use https if others share the network")
	case clear && !p.bad["insecure"]:
		p.fail("url", quote(u.String()), "would send the token unencrypted to a host other than loopback",
			"did you mean https://"+u.Host+"? Otherwise set insecure on")
	case s.Insecure && !p.given["forward"] && !p.given["endpoint"]:
		p.warn("insecure", "", "has no effect for an https url, where TLS is always verified", "use ca_file for a private certificate authority")
	}
	if clear && p.given["ca_file"] && !p.given["forward"] {
		p.warn("ca_file", "", "has no effect for an http url", "did you mean https://"+u.Host+"?")
	}
}

// times compares start and end with each other and with the clock.
func times(p *parser, s *Settings) {
	if !p.bad["overlap"] && s.Overlap < 2*time.Second { // 2 s was the smallest value that missed nothing
		p.warn("overlap", quote(s.Overlap.String()), "is less than 2s: events that become visible late can be missed", "the default is 10s")
	}
	if !p.bad["overlap"] && !p.bad["sweep"] && s.Sweep > 0 && s.Sweep <= s.Overlap {
		p.warn("sweep", quote(s.Sweep.String()), "is not longer than overlap ("+s.Overlap.String()+"): it finds nothing that overlap does not find",
			"choose a longer sweep, or 0s to turn it off")
	} else if !p.bad["sweep"] && s.Sweep > 0 && s.Sweep < time.Minute {
		p.warn("sweep", quote(s.Sweep.String()), "is less than 1m: transactions that stay open longer can be missed", "the default is 1h")
	}
	start, end := s.Start, s.End
	if !p.bad["start"] && start.At.After(p.now) {
		p.warn("start", quote(start.String()), "is in the future: nothing is read until then", "this machine's clock says "+p.now.UTC().Format(time.RFC3339))
	}
	if end.IsZero() || p.bad["start"] || p.bad["end"] {
		return
	}
	from := start.At
	switch {
	case start.Now:
		from = p.now
	case start.Back > 0:
		from = p.now.Add(-start.Back)
	}
	if !start.Beginning && !end.After(from) {
		p.fail("end", quote(end.Format(time.RFC3339Nano)), "is not after start ("+from.UTC().Format(time.RFC3339)+"), so nothing would be read",
			"choose a later end or an earlier start")
	}
}
