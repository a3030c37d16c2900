package config

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ForwardPort is the usual port of the forward protocol.
const ForwardPort = "24224"

// Forward is the receiver of records in the forward protocol. The zero value means that
// there is none.
type Forward struct {
	Network string // "tcp" or "unix", as net.Dial takes it
	Address string // host:port, or the path of the socket
	TLS     bool
	Host    string // the name in the certificate; empty for a socket
}

// String returns it as it could be written in a configuration.
func (f Forward) String() string {
	switch {
	case f.Network == "":
		return ""
	case f.Network == "unix":
		return "unix:" + f.Address
	case f.TLS:
		return "tls://" + f.Address
	}
	return "tcp://" + f.Address
}

// Local reports whether the connection stays on this machine.
func (f Forward) Local() bool {
	return f.Network == "unix" || f.Network == "tcp" && loopback(f.Host)
}

// IsSocket reports whether f is the socket at path, also if the two are written
// differently.
func (f Forward) IsSocket(path string) bool {
	if f.Network != "unix" || path == "" {
		return false
	}
	ours, err := os.Stat(f.Address)
	theirs, err2 := os.Stat(path)
	if err == nil && err2 == nil {
		return os.SameFile(ours, theirs)
	}
	return filepath.Clean(f.Address) == filepath.Clean(path)
}

// LeadsTo reports whether a connection to f reaches the listener at that host and port on
// this machine. An unspecified host is every address of the machine.
func (f Forward) LeadsTo(listen string, port int) bool {
	host, number, err := net.SplitHostPort(f.Address)
	if err != nil || f.Network != "tcp" || number != strconv.Itoa(port) {
		return false
	}
	var at []netip.Addr
	all, err := netip.ParseAddr(listen)
	if err != nil || !all.IsUnspecified() {
		at = addressesOf(listen)
	}
	return slices.ContainsFunc(addressesOf(host), func(to netip.Addr) bool {
		return slices.Contains(at, to) || at == nil && (all.Is6() || to.Is4()) && ofThisMachine(to)
	})
}

// addressesOf resolves host for at most two seconds.
func addressesOf(host string) []netip.Addr {
	four, six := netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()
	ip, err := netip.ParseAddr(host)
	switch {
	case err == nil && !ip.IsUnspecified():
		return []netip.Addr{ip.Unmap().WithZone("")}
	case err == nil || loopback(host): // 0.0.0.0 is this machine
		return []netip.Addr{four, six}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	ips, _ := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	for i := range ips {
		ips[i] = ips[i].Unmap().WithZone("")
	}
	return ips
}

func ofThisMachine(ip netip.Addr) bool {
	if ip.IsLoopback() {
		return true
	}
	own, _ := net.InterfaceAddrs()
	return slices.ContainsFunc(own, func(a net.Addr) bool {
		prefix, err := netip.ParsePrefix(a.String())
		return err == nil && prefix.Addr().Unmap() == ip
	})
}

// maxSocketPath is what sockaddr_un holds on Linux, less its final zero byte.
const maxSocketPath = 107

// parseForward reads HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT and unix:PATH. Its errors
// repeat no user info and no path after a host: these may hold a secret.
func parseForward(v string) (Forward, error) {
	if path, ok := socketPath(v); ok {
		return parseSocket(path)
	}
	if strings.HasPrefix(v, "/") || strings.HasPrefix(v, "./") {
		return Forward{}, &valueError{"is a path", "did you mean unix:" + v + "?"}
	}
	m := urlShape.FindStringSubmatch(v)
	if m == nil || bareWord(v) {
		return Forward{}, &valueError{"is not an address", ""}
	}
	scheme, hostport, rest := strings.ToLower(m[1]), strings.ToLower(m[3]), m[4]
	if strings.Contains(rest, "@") {
		return Forward{}, &valueError{"has user info, or an @ after the host", "write it as tls://siem.example.com:" + ForwardPort}
	}
	if _, err := netip.ParseAddr(hostport); err == nil && strings.Contains(hostport, ":") {
		hostport = "[" + hostport + "]"
	}
	host, port, ok := splitHost(strings.TrimSuffix(hostport, ":"))
	if !ok {
		return Forward{}, hostError(hostport)
	}
	var why []string
	right := forwardScheme(scheme)
	if scheme != right {
		why = append(why, "has the scheme "+scheme+", which is not one of tcp, tls, unix")
	}
	if strings.Contains(v, "@") {
		why = append(why, "has user info before the host")
	}
	if rest != "" && rest != "/" {
		why = append(why, "has a path, query or fragment after the host")
	}
	usual := ""
	if port == "" {
		why, port, usual = append(why, "has no port"), ForwardPort, " ("+ForwardPort+" is the usual one)"
	}
	f := Forward{Network: "tcp", Address: net.JoinHostPort(host, port), TLS: right == "tls", Host: host}
	if len(why) > 0 {
		return Forward{}, &valueError{strings.Join(why, " and "), didYouMean(f.String()) + usual}
	}
	return f, nil
}

// forwardScheme returns the nearest valid scheme; an empty one stays empty.
func forwardScheme(scheme string) string {
	switch scheme {
	case "", "tcp":
		return scheme
	case "tls", "ssl", "https", "tcps", "tcp+tls":
		return "tls"
	}
	return "tcp"
}

// hostError detects an IPv6 address without brackets.
func hostError(hostport string) error {
	if i := strings.LastIndexByte(hostport, ':'); i > 0 && strings.Count(hostport, ":") > 1 {
		if _, err := netip.ParseAddr(hostport[:i]); err == nil {
			return &valueError{"has an IPv6 address without brackets", didYouMean(net.JoinHostPort(hostport[:i], hostport[i+1:]))}
		}
	}
	return &valueError{"has no valid host and port", ""}
}

func socketPath(v string) (string, bool) {
	const scheme = "unix:"
	if len(v) < len(scheme) || !strings.EqualFold(v[:len(scheme)], scheme) {
		return "", false
	}
	return v[len(scheme):], true
}

func parseSocket(path string) (Forward, error) {
	if rest, ok := strings.CutPrefix(path, "//"); ok {
		if !strings.HasPrefix(rest, "/") && rest != "" {
			return Forward{}, &valueError{"has a host before the path", "did you mean unix:/" + rest + "?"}
		}
		path = rest
	}
	switch {
	case path == "":
		return Forward{}, &valueError{"does not name a socket", "for example unix:/run/fluent-bit/forward.sock"}
	case len(path) > maxSocketPath:
		return Forward{}, &valueError{"is longer than 107 bytes, the limit for the path of a socket", ""}
	}
	return Forward{Network: "unix", Address: path}, nil
}

// showForward returns an address without the parts that may be secret.
func showForward(v string) string {
	if _, ok := socketPath(v); ok || strings.HasPrefix(v, "/") || strings.HasPrefix(v, "./") {
		return quote(v)
	}
	return showURL(v)
}
