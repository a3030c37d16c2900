package schema

import (
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/document"
)

// The lengths of LEEF's attributes.
const (
	leefName = 255
	leefText = 1024
	leefLong = 4000
)

// leef appends a as one line of LEEF 2.0.
func (w *Writer) leef(b []byte, a *Activity) []byte {
	var l document.LEEF
	l.Reset(b, Vendor, Product, w.version(), a.Type)
	l.Int("devTime", a.at().UnixMilli())
	l.Int("sev", int64(max(cefSeverity(a.Severity), 1)))
	if len(a.Row.Category) > 0 {
		l.Field("cat", a.Row.Category[0], leefName)
	}
	l.Field("title", a.Title, leefName)
	if a.Outcome != Unknown {
		l.Field("outcome", a.Outcome.String(), leefName)
	}
	l.Field("reason", a.Reason, leefText)
	who, whom := &a.Actor, &a.User
	if a.Row.auth && !a.Impersonated {
		who, whom = &a.User, &User{}
	}
	l.Field("usrName", idName(who), leefName)
	l.Field("usrId", who.ID, leefName)
	l.Field("accountName", idName(whom), leefName)
	l.Field("accountId", whom.ID, leefName)
	l.Field("role", w.joined(a.Roles), leefName)
	if a.IP.IsValid() {
		w.scratch = a.IP.AppendTo(w.scratch[:0])
		l.Field("src", text(w.scratch), leefName)
	}
	// A key of our own: QRadar takes identHostName for the name of a computer, and stores it
	// as an asset.
	l.Field("srcToken", a.Address, leefName)
	l.Field("userAgent", a.UserAgent, leefText)
	l.Field("resource", a.Entity.ID, leefName)
	if a.Row.Entity.ID == 5 {
		l.Field("policy", a.Entity.Name, leefName)
	}
	l.Field("url", a.Call.Path, leefText)
	l.Field("urlHost", hostOf(a.Call.Host), leefName)
	if a.Call.Protocol != "" {
		l.Int("status", a.Call.Status)
	}
	l.Field("eventId", w.hashedID(a), leefName)
	l.Field("instance", a.Instance, leefName)
	l.Field("organization", a.Organization.ID, leefName)
	l.Field("aggregateType", a.AggregateType, leefName)
	l.Field("aggregateId", a.AggregateID, leefName)
	if a.Sequence != 0 {
		l.Int("sequence", int64(a.Sequence))
	}
	l.Field("clientId", a.clientID(), leefName)
	l.Field("sessionId", a.Session, leefName)
	l.Field("message", a.Message, leefText)
	l.Field("details", w.detailsJSON(a), leefLong)
	for _, f := range a.more() {
		l.Field(f.leef, f.value, leefText)
	}
	return l.Bytes()
}

// idName is the best name of a user, or the id: usrName is what QRadar looks for.
func idName(u *User) string {
	if s := name(u); strings.TrimSpace(s) != "" {
		return s
	}
	return u.ID
}
