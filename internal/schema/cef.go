package schema

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/zitadel-siem/zitadel-siem/internal/document"
)

// cefSeverity serves LEEF and ECS too.
func cefSeverity(s Severity) int { return [...]int{0, 1, 3, 5, 8, 10}[s] }

// The lengths of CEF's fields.
const (
	cefShort  = 63
	cefID     = 255
	cefHost   = 100
	cefText   = 1023
	cefCustom = 4000
	cefUnique = 40
)

// cef appends a as one line of CEF.
func (w *Writer) cef(b []byte, a *Activity) []byte {
	var c document.CEF
	c.Reset(b, Vendor, Product, w.version(), a.Type, a.Title, cefSeverity(a.Severity))
	c.Int("rt", a.at().UnixMilli())
	c.Field("act", a.Type, cefShort)
	if len(a.Row.Category) > 0 {
		c.Field("cat", a.Row.Category[0], cefText)
	}
	if a.Outcome != Unknown {
		c.Field("outcome", a.Outcome.String(), cefShort)
	}
	c.Field("reason", a.Reason, cefText)
	c.Field("suid", a.Actor.ID, cefText)
	c.Field("suser", name(&a.Actor), cefText)
	c.Field("duid", a.User.ID, cefText)
	c.Field("duser", name(&a.User), cefText)
	c.Field("dpriv", w.joined(a.Roles), cefText)
	switch {
	case a.IP.Is4():
		w.scratch = a.IP.AppendTo(w.scratch[:0])
		c.Field("src", text(w.scratch), cefShort)
	case a.IP.Is6():
		w.scratch = a.IP.AppendTo(w.scratch[:0])
		c.Field("c6a2", text(w.scratch), cefShort)
		c.Field("c6a2Label", "Source IPv6 Address", cefText)
	default:
		c.Field("shost", a.Address, cefText)
	}
	c.Field("requestClientApplication", a.UserAgent, cefText)
	c.Field("request", a.Call.Path, cefText)
	c.Field("dhost", hostOf(a.Call.Host), cefID) // no host name is longer than 253
	c.Field("externalId", w.hashedID(a), cefUnique)
	c.Field("deviceExternalId", a.Instance, cefID)
	c.Field("dvchost", hostOf(a.Instance), cefHost)
	c.Field("msg", a.Message, cefText)
	for _, f := range [...]struct{ key, label, title, value string }{
		{"cs1", "cs1Label", "Organization", a.Organization.ID},
		{"cs2", "cs2Label", "Aggregate Type", a.AggregateType},
		{"cs3", "cs3Label", "Aggregate ID", a.AggregateID},
		{"cs4", "cs4Label", "Client ID", a.clientID()},
		{"cs5", "cs5Label", "Session ID", a.Session},
		{"cs6", "cs6Label", "Details", w.detailsJSON(a)},
	} {
		if c.Field(f.key, f.value, cefCustom) {
			c.Field(f.label, f.title, cefText)
		}
	}
	if a.Sequence != 0 {
		c.Int("cn1", int64(a.Sequence))
		c.Field("cn1Label", "Sequence", cefText)
	}
	if a.Call.Protocol != "" {
		c.Int("ZITADELStatus", a.Call.Status)
	}
	for _, f := range a.more() {
		c.Field(f.cef, f.value, cefText)
	}
	return c.Bytes()
}

// field is one of the fields that neither CEF nor LEEF has a name for.
type field struct{ cef, leef, value string }

func (a *Activity) more() [28]field {
	factor, known, operation := "", "", ""
	if a.Factored > 0 {
		factor = a.Factors[0].Name
	}
	if !a.Known {
		known = "true"
	}
	if a.Call.Operation != a.Call.Path {
		operation = a.Call.Operation
	}
	return [...]field{
		{"ZITADELNewName", "newName", a.Changed.Name},
		{"ZITADELNewEmail", "newEmail", a.Changed.Email},
		{"ZITADELNewFullName", "newFullName", a.Changed.FullName},
		{"ZITADELOperation", "operation", operation},
		{"ZITADELTarget", "target", a.Call.Target},
		{"requestMethod", "method", a.Call.Method},
		{"ZITADELService", "service", a.Call.Service},
		{"ZITADELCode", "code", a.Call.Code},
		{"ZITADELRequestID", "requestId", a.Call.ID},
		{"ZITADELTraceID", "traceId", a.Trace},
		{"ZITADELJoin", "join", a.Call.Join},
		{"ZITADELAskedOrganization", "askedOrganization", a.Call.AskedOrg},
		{"ZITADELTrigger", "trigger", a.Call.Trigger},
		{"ZITADELEntityType", "entityType", a.Row.Entity.Name},
		{"ZITADELEntityID", "entityId", a.Entity.ID},
		{"ZITADELEntityName", "entityName", a.Entity.Name},
		{"ZITADELSystem", "system", a.System},
		{"ZITADELStep", "step", string(a.Step)},
		{"ZITADELFactor", "factor", factor},
		{"ZITADELAuthRequest", "authRequest", a.AuthRequest},
		{"ZITADELAgent", "agent", a.Agent},
		{"ZITADELProject", "project", a.Project.ID},
		{"ZITADELGrant", "grant", a.Grant},
		{"ZITADELIdentityProvider", "identityProvider", a.IDP.ID},
		{"ZITADELForwardedFor", "forwardedFor", a.ForwardedFor},
		{"ZITADELIPSource", "ipSource", string(a.IPSource)},
		{"ZITADELTrust", "trust", a.Trust},
		{"ZITADELUnknownType", "unknownType", known},
	}
}

// name is the best name that is known of a user.
func name(u *User) string {
	for _, s := range [...]string{u.Name, u.Email, u.FullName} {
		if s != "" {
			return s
		}
	}
	return ""
}

// clientID is the id of the application that a user signs in to.
func (a *Activity) clientID() string {
	if a.Client != "" {
		return a.Client
	}
	return a.Application.ID
}

func (w *Writer) version() string {
	if w.opts.Version == "" {
		return "0"
	}
	return w.opts.Version
}

// hashedID is the id in 40 characters, which is what CEF has room for.
func (w *Writer) hashedID(a *Activity) string {
	w.key = append(w.key[:0], a.ID...)
	sum := sha256.Sum256(w.key)
	w.key = hex.AppendEncode(w.key[:0], sum[:cefUnique/2])
	return text(w.key)
}

// joined is a list of roles in one text.
func (w *Writer) joined(list []string) string {
	w.list = w.list[:0]
	for i, s := range list {
		if i > 0 {
			w.list = append(w.list, ',')
		}
		w.list = append(w.list, s...)
	}
	return text(w.list)
}

// detailsJSON is the details, or the numbers of a heartbeat, as JSON: in one
// text, nothing else keeps them apart.
func (w *Writer) detailsJSON(a *Activity) string {
	d := &w.inner
	d.Reset(w.json[:0], document.JSON)
	d.Map("")
	w.details.write(d, "details", a)
	w.details.unverified(d, "unverified", a)
	texts(d, "users", a.Users)
	if len(a.Metrics) > 0 {
		metrics(d, "heartbeat", a)
	}
	d.End()
	w.json = d.Bytes()
	if len(w.json) <= len("{}") {
		return ""
	}
	return text(w.json)
}
