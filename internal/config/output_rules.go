package config

import (
	"crypto/tls"
	"slices"
	"strings"
)

// receiverBuffer is buffer_max_size of in_forward where nobody sets it
// (fw_conn.h); a larger message breaks the connection, again and again.
const receiverBuffer = 6_144_000

// destination requires an encrypted way to other machines.
func destination(p *parser, s *OutputSettings) {
	f := s.Forward
	if f.Network == "" {
		if p.opts.NeedForward && !p.given["forward"] {
			p.fail("forward", "", "is missing", "for example tls://siem.example.com:"+ForwardPort)
		}
		return
	}
	clear := !f.TLS && !f.Local()
	switch {
	case clear && s.Insecure:
		p.warn("insecure", "", "sends all records unencrypted to "+f.Address, "use tls:// if others share the network")
	case clear && !p.bad["insecure"]:
		p.fail("forward", quote(f.String()), "would send all records unencrypted to a host other than loopback",
			"did you mean tls://"+f.Address+"? Otherwise set insecure on")
	case s.Insecure && !p.given["url"]:
		p.warn("insecure", "", "has no effect for "+f.String(), "remove it; TLS is always verified, use ca_file for a private certificate authority")
	}
	if !f.TLS {
		p.withoutTLS(f)
	}
	if !p.bad["chunk_size"] && s.ChunkSize >= receiverBuffer {
		p.warn("chunk_size", "", "is more than in_forward accepts by default; it closes the connection when a message is larger",
			"raise buffer_max_size of the receiving in_forward, or use the default 2M")
	}
}

// withoutTLS refuses options that only TLS uses: whoever sets them expects TLS.
func (p *parser) withoutTLS(f Forward) {
	fix := "leave it out"
	if f.Network == "tcp" {
		fix = "did you mean forward tls://" + f.Address + "?"
	}
	for _, name := range []string{"ca_file", "cert_file", "cert_key_file"} {
		if p.given[name] && !(name == "ca_file" && p.given["url"]) { // it may be for the url
			p.fail(name, "", "has no effect without TLS: forward is "+f.String(), fix)
		}
	}
}

// sharedKeys allows at most one shared key, and reads it if it is in a file.
func sharedKeys(p *parser, s *OutputSettings) {
	switch {
	case p.given["shared_key"] && p.given["shared_key_file"]:
		p.fail("shared_key", "", "is given together with shared_key_file", "keep one of them")
	case s.SharedKeyFile != "" && !p.bad["shared_key_file"] && !p.opts.NoFiles:
		data, _, err := readFile(s.SharedKeyFile)
		if err != nil { // it could be read a moment ago
			o, _ := p.options.Lookup("shared_key_file")
			p.refuse(o, s.SharedKeyFile, err)
			return
		}
		s.SharedKey = Secret(strings.TrimSpace(string(data)))
	}
}

// clientCertificate requires both certificate and key, of one pair, or neither.
func clientCertificate(p *parser, s *OutputSettings) {
	cert, key := p.given["cert_file"], p.given["cert_key_file"]
	switch {
	case cert && !key:
		p.fail("cert_file", "", "is given without cert_key_file", "add cert_key_file, the path of the file that holds its private key")
	case key && !cert:
		p.fail("cert_key_file", "", "is given without cert_file", "add cert_file, the path of the file that holds the certificate")
	case !cert || p.opts.NoFiles || p.bad["cert_file"] || p.bad["cert_key_file"] || s.CertFile == "" || s.CertKeyFile == "":
	default:
		if _, err := tls.LoadX509KeyPair(s.CertFile, s.CertKeyFile); err != nil {
			p.fail("cert_key_file", "", "does not belong to the certificate in cert_file, or cannot be read", "use the certificate and its own key, without a passphrase")
		}
	}
}

// rawLines warns if raw is set but none of the lines that it applies to are sent.
func rawLines(p *parser, s *OutputSettings) {
	if s.Raw && !p.bad["kinds"] && !slices.Contains(s.Kinds, "malformed") && !slices.Contains(s.Kinds, "other") {
		p.warn("raw", "", "has no effect, because kinds has neither malformed nor other", "add one of them to kinds")
	}
}
