package config

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// urlShape takes a URL apart however wrong it is: scheme, userinfo, host
// with port, the rest.
var urlShape = regexp.MustCompile(`^(?:([A-Za-z][A-Za-z0-9+.-]*)://)?(?:([^/?#]*)@)?([^/?#@]*)(.*)$`)

var hostShape = regexp.MustCompile(`^(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?\.?)+$`)

// parseURL accepts http and https, a host, and nothing behind it. What it
// says about a wrong one never repeats user info, path or query: these may
// hold a password or a token.
func parseURL(v string) (*url.URL, error) {
	m := urlShape.FindStringSubmatch(v)
	if m == nil || bareWord(v) {
		return nil, &valueError{"is not a URL", ""}
	}
	scheme, hostport, rest := strings.ToLower(m[1]), strings.ToLower(m[3]), m[4]
	if strings.Contains(rest, "@") { // a password with a "/" in it, perhaps
		return nil, &valueError{"has user info, or an @ after the host", "write it as https://zitadel.example.com"}
	}
	hasUserinfo := strings.Contains(v, "@")
	host, port, ok := splitHost(hostport)
	if !ok {
		return nil, &valueError{"has no valid host", "write it as https://zitadel.example.com"}
	}
	right := scheme
	if scheme != "http" && scheme != "https" {
		right = "https"
		if loopback(host) {
			right = "http"
		}
	}
	clean := right + "://" + hostport
	var why []string
	switch {
	case scheme == "":
		why = append(why, "has no scheme")
	case scheme != right:
		why = append(why, "has the scheme "+scheme+" instead of https")
	}
	if hasUserinfo {
		why = append(why, "has user info before the host")
	}
	if rest != "" && rest != "/" {
		why = append(why, "has a path, query or fragment after the host")
	}
	if len(why) > 0 {
		return nil, &valueError{strings.Join(why, " and "), "did you mean " + clean + "?"}
	}
	if port == defaultPort(scheme) {
		hostport = strings.TrimSuffix(hostport, ":"+port)
	}
	return &url.URL{Scheme: scheme, Host: hostport}, nil
}

// splitHost checks a host with an optional port. An IPv6 address is in
// brackets.
func splitHost(hostport string) (host, port string, ok bool) {
	host = hostport
	if i := strings.LastIndexByte(hostport, ':'); i >= 0 && !strings.HasSuffix(hostport, "]") {
		host, port = hostport[:i], hostport[i+1:]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", "", false
		}
	}
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		addr, err := netip.ParseAddr(host[1 : len(host)-1])
		return host[1 : len(host)-1], port, err == nil && addr.Is6() && addr.Zone() == ""
	}
	return host, port, hostShape.MatchString(host) && len(host) <= 253
}

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") { // RFC 6761, 6.3
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func defaultPort(scheme string) string {
	if scheme == "http" {
		return "80"
	}
	return "443"
}

// bareWord reports a long word that is not a host, such as a token in the wrong place.
func bareWord(v string) bool { return likeSecret(v) && !strings.ContainsAny(v, ":") }

// showURL repeats a URL without what may be secret in it.
func showURL(v string) string {
	m := urlShape.FindStringSubmatch(v)
	if m == nil || bareWord(v) || strings.Contains(m[4], "@") {
		return conceal(v)
	}
	shown := m[3]
	if m[1] != "" {
		shown = m[1] + "://" + shown
	}
	if m[2] != "" || (m[4] != "" && m[4] != "/") {
		return quote(shown) + " (shortened)"
	}
	return quote(v)
}
