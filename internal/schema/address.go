package schema

import (
	"net/netip"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// EventAddress returns the address that [Table.Event] finds in r, and nothing else: with
// pseudonyms, an activity is filled when the address is no longer there.
func (t *Table) EventAddress(r *record.Event) (netip.Addr, IPSource) {
	fields := r.Payload.GetFields()
	if row, _ := t.Row(r.Type); ofCall(row, r.AggregateType) {
		list, _ := textOf(fields["forwarded_for"])
		return found(Forwarded(list), IPForwarded)
	}
	if s, ok := textOf(fields["remoteIP"]); ok {
		if ip, ok := parseIP(s); ok {
			return ip, IPForwarded
		}
	}
	for _, key := range [...]string{"userAgent", "user_agent", "UserAgent"} {
		if s, ok := textOf(fields[key].GetStructValue().GetFields()["ip"]); ok {
			if ip, ok := parseIP(s); ok {
				return ip, IPSession
			}
		}
	}
	return netip.Addr{}, ""
}

// LineAddress returns the address that [Table.Line] finds in r.
func LineAddress(r *parser.Record) (netip.Addr, IPSource) {
	switch {
	case r.Kind == parser.Access, r.Join.Joined():
		return found(Forwarded(r.Access.ForwardedFor), IPForwarded)
	case r.Kind != parser.Log || r.Format == parser.FormatText:
		return netip.Addr{}, ""
	}
	if ip := Forwarded(wholeForwarded(&r.Login)); ip.IsValid() {
		return ip, IPForwarded
	}
	ip, _ := parseIP(r.Login.RemoteAddr)
	return found(ip, IPPeer)
}

func found(ip netip.Addr, from IPSource) (netip.Addr, IPSource) {
	if !ip.IsValid() {
		return ip, ""
	}
	return ip, from
}
