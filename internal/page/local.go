package page

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// forbidden is the answer to who is not on this machine.
const forbidden = `The status page is shown only on the machine that runs zitadel-siem, under the name localhost.

From another machine, forward the port, and then open http://localhost:9464/ there:
  ssh -L 9464:127.0.0.1:9464 HOST
  kubectl port-forward POD 9464:9464

In Docker, a published port does not look local. Run the container with --network host and metrics_listen 127.0.0.1:9464.

/metrics, /health and /live are served to everybody who can reach metrics_listen.
`

// policy lets the browser load the style sheet and the icon of this server, and nothing
// else. No script runs, and no other page can frame this one.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// local answers only requests that come from this machine and ask for it by a loopback
// name. The second condition defeats DNS rebinding: a page of an attacker that makes its
// own host name point to 127.0.0.1 still sends that host name.
func local(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !fromLoopback(r.RemoteAddr) || !namesLoopback(r.Host) {
			http.Error(w, forbidden, http.StatusForbidden)
			return
		}
		next(w, r)
	})
}

// fromLoopback reports whether the address of a client is one of this machine.
func fromLoopback(remote string) bool {
	from, err := netip.ParseAddrPort(remote)
	return err == nil && from.Addr().Unmap().IsLoopback()
}

// namesLoopback reports whether a Host header is localhost or a loopback address.
func namesLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && address.Unmap().IsLoopback()
}
