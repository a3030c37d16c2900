package schema

import (
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/document"
)

var protocolNames = [...]string{
	"Unknown", "NTLM", "Kerberos", "Digest", "OpenID", "SAML", "OAUTH 2.0", "PAP", "CHAP", "EAP", "RADIUS", "Basic Authentication", "LDAP",
}

// ocsf writes a in the Open Cybersecurity Schema Framework. What it has no
// attribute for is in "unmapped".
func (w *Writer) ocsf(d *document.Doc, a *Activity) {
	c := w.class(a)
	w.ocsfHead(d, a, c)
	if c.Class != classBase {
		w.ocsfActor(d, a, c)
		w.ocsfFrom(d, a, c)
	}
	switch c.Class {
	case classAuthentication:
		w.ocsfAuthentication(d, a, c)
	case classAccountChange:
		ocsfUser(d, "user", &a.User)
		ocsfFactors(d, a)
	case classUserManagement:
		ocsfUser(d, "user", &a.User)
		if a.Changed != (User{}) {
			changed := a.changed()
			ocsfUser(d, "updated_user", &changed)
		}
		ocsfFactors(d, a)
		d.OptionalList("iam_roles")
		for _, r := range a.Roles {
			d.Map("")
			d.Text("name", r)
			d.End()
		}
		d.End()
	case classRole:
		d.Map("iam_role")
		d.Text("uid", a.Entity.ID)
		d.Some("name", a.Entity.Name)
		d.End()
	case classEntity:
		w.ocsfEntity(d, a)
	case classUserAccess:
		ocsfUser(d, "user", &a.User)
		d.List("privileges")
		for _, r := range a.Roles {
			d.Text("", r)
		}
		if len(a.Roles) == 0 {
			d.Text("", "unknown") // required, and the event does not say it
		}
		d.End()
		ocsfResource(d, a)
	case classGroup:
		d.Map("group")
		d.Some("name", a.Entity.Name)
		d.Text("uid", a.Entity.ID)
		d.End()
		ocsfUser(d, "user", &a.User)
	case classAPI:
		w.ocsfCall(d, a)
	}
	w.ocsfUnmapped(d, a, c)
}

// ocsfClass writes the attributes that depend on class, outcome and severity.
func (w *Writer) ocsfClass(d *document.Doc, a *Activity, c Class) {
	category, categoryName := uint64(c.Class/1000), "Identity & Access Management"
	switch category {
	case 0:
		categoryName = "Uncategorized"
	case 6:
		categoryName = "Application Activity"
	}
	d.Uint("category_uid", category)
	d.Text("category_name", categoryName)
	d.Uint("class_uid", uint64(c.Class))
	d.Text("class_name", classNames[c.Class])
	d.Uint("activity_id", uint64(c.Activity))
	d.Text("activity_name", c.Name)
	d.Uint("type_uid", uint64(c.Class)*100+uint64(c.Activity))
	w.scratch = append(append(append(w.scratch[:0], classNames[c.Class]...), ": "...), c.Name...)
	d.TextBytes("type_name", w.scratch)
	d.Uint("severity_id", uint64(a.Severity))
	d.Text("severity", severityCaptions[a.Severity])
	d.Uint("status_id", uint64(a.Outcome))
	d.Text("status", outcomeCaptions[a.Outcome])
	d.Uint("timezone_offset", 0)
}

func (w *Writer) ocsfHead(d *document.Doc, a *Activity, c Class) {
	w.paste(d, a, headPart, c, func(d *document.Doc) { w.ocsfClass(d, a, c) })
	d.Some("status_detail", a.Reason)
	d.Millis("time", a.at())
	if a.Took > 0 {
		d.Uint("duration", uint64(a.Took.Milliseconds()))
	}
	if a.Message != "" {
		d.Text("message", a.Message)
	} else {
		d.Text("message", a.Title)
	}
	d.Map("metadata")
	w.paste(d, a, metadataPart, Class{}, func(d *document.Doc) {
		version := "1.8.0"
		if w.opts.OCSF19 {
			version = "1.9.0"
		}
		d.Text("version", version)
		d.Map("product")
		d.Text("name", Product)
		d.Text("vendor_name", Vendor)
		d.End()
		d.Text("event_code", a.Type)
	})
	d.Some("uid", a.ID)
	d.Text("log_name", a.dataset())
	d.Text("log_provider", a.Source)
	d.Some("log_level", a.Level)
	d.Some("tenant_uid", a.Instance)
	if a.Sequence != 0 {
		d.Uint("sequence", a.Sequence)
	}
	d.Time("original_time", a.Time)
	if !a.Read.IsZero() {
		d.Millis("logged_time", a.Read)
	}
	if a.Cut {
		d.Bool("is_truncated", true)
	}
	d.End()
	if original := w.original(a); original != nil {
		d.TextBytes("raw_data", original)
	}
}

var (
	severityCaptions = [...]string{"Unknown", "Informational", "Low", "Medium", "High", "Critical"}
	outcomeCaptions  = [...]string{"Unknown", "Success", "Failure"}
)

// ocsfActor writes who did it: a user, or a part of ZITADEL as the application.
func (w *Writer) ocsfActor(d *document.Doc, a *Activity, c Class) {
	d.Optional("actor")
	ocsfUser(d, "user", &a.Actor)
	d.Some("app_name", a.System)
	if c.Class == classAPI && !a.Actor.known() && a.System == "" {
		d.Text("app_name", "unknown") // required
	}
	if a.Session != "" && c.Class != classAuthentication {
		d.Map("session")
		d.Text("uid", a.Session)
		d.End()
	}
	if a.IDP.ID != "" && c.Class == classAuthentication {
		d.Map("idp")
		d.Text("uid", a.IDP.ID)
		d.Some("name", a.IDP.Name)
		d.End()
	}
	d.End()
}

// ocsfUser writes a user, unless nothing is known of it.
func ocsfUser(d *document.Doc, key string, u *User) {
	if u.ID == "" && u.Name == "" {
		// The schema asks for one of the two.
		if u.Email == "" && u.FullName == "" {
			return
		}
		d.Map(key)
		d.Text("name", name(u))
	} else {
		d.Map(key)
		d.Some("uid", u.ID)
		d.Some("name", u.Name)
	}
	d.Some("full_name", u.FullName)
	if isEmail(u.Email) {
		d.Text("email_addr", u.Email)
	}
	if u.Kind != UserUnknown {
		d.Uint("type_id", uint64(u.Kind))
		d.Text("type", choose(u.Kind == Human, "User", "Service"))
	}
	if u.Org != "" {
		d.Map("org")
		d.Text("uid", u.Org)
		d.End()
	}
	d.End()
}

func choose(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

// isEmail reports whether s is what OCSF's email_t allows.
func isEmail(s string) bool {
	at := strings.LastIndexByte(s, '@')
	if at < 1 {
		return false
	}
	for i := range at {
		c := s[i]
		if !alphanumeric(c) && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~.", rune(c)) {
			return false
		}
	}
	domain := s[at+1:]
	dot := strings.IndexByte(domain, '.')
	if dot < 1 || dot == len(domain)-1 {
		return false
	}
	for i := range len(domain) {
		if c := domain[i]; !alphanumeric(c) && c != '-' && (c != '.' || i < dot) {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func (w *Writer) ocsfFrom(d *document.Doc, a *Activity, c Class) {
	if a.IP.IsValid() {
		d.Map("src_endpoint")
		w.ip(d, "ip", a)
		d.End()
	} else if a.Address != "" {
		d.Map("src_endpoint")
		d.Text("uid", a.Address)
		d.End()
	} else if c.Class == classAPI {
		d.Map("src_endpoint")
		d.Text("name", "unknown") // required
		d.End()
	}
	d.Optional("http_request")
	d.Some("user_agent", a.UserAgent)
	d.Some("http_method", a.Call.Method)
	if a.Call.Path != "" || a.Call.Host != "" && a.line != nil { // of an API call, the host stands in call
		d.Map("url")
		if a.Call.Path != "" {
			d.Text("path", a.Call.Path)
		} else {
			d.Some("path", a.Call.Operation) // required; gRPC's path is its method
		}
		host, port := splitHost(a.Call.Host)
		d.Some("hostname", host)
		if port != 0 {
			d.Uint("port", uint64(port))
		}
		d.End()
	}
	d.End()
}

func (w *Writer) ocsfAuthentication(d *document.Doc, a *Activity, c Class) {
	if a.User.known() {
		ocsfUser(d, "user", &a.User)
	} else { // a line that does not prove who logged in is a login even so
		d.Map("user")
		d.Text("name", "unknown")
		d.Uint("type_id", 0)
		d.End()
	}
	ocsfFactors(d, a)
	if a.Step == StepLogin && a.Factored > 0 {
		d.Bool("is_mfa", a.MFA())
	}
	d.Bool("is_remote", true)
	if p := a.Row.Protocol; p != 0 {
		d.Uint("auth_protocol_id", uint64(p))
		d.Text("auth_protocol", protocolNames[p])
	}
	if c.Activity == 7 {
		d.Uint("account_switch_type_id", 2)
		d.Text("account_switch_type", "Impersonate")
	}
	if a.Session != "" {
		d.Map("session")
		d.Text("uid", a.Session)
		d.End()
	}
	d.Map("service")
	if uid := a.clientID(); uid != "" {
		d.Text("uid", uid)
		d.Some("name", a.Application.Name)
	} else {
		d.Text("name", Product) // required
	}
	d.End()
}

func ocsfFactors(d *document.Doc, a *Activity) {
	d.OptionalList("auth_factors")
	for _, f := range a.Factors[:a.Factored] {
		d.Map("")
		d.Uint("factor_type_id", uint64(f.ID))
		d.Text("factor_type", f.Name)
		d.End()
	}
	d.End()
}

func (w *Writer) ocsfEntity(d *document.Doc, a *Activity) {
	d.Map("entity")
	d.Some("uid", a.Entity.ID)
	d.Some("name", a.Entity.Name)
	if a.Entity == (Object{}) {
		d.Text("name", "unknown") // required
	}
	kind := a.Row.Entity
	if kind.ID == 0 {
		kind = Entity{99, "Event"}
	}
	d.Uint("type_id", uint64(kind.ID))
	d.Text("type", kind.Name)
	if kind.ID != 2 || a.Entity.ID != a.User.ID {
		ocsfUser(d, "user", &a.User)
	}
	d.End()
	if a.Changed != (User{}) {
		d.Map("entity_result")
		d.Some("uid", a.Entity.ID)
		d.Uint("type_id", uint64(kind.ID))
		d.Text("type", kind.Name)
		changed := a.changed()
		ocsfUser(d, "user", &changed)
		d.End()
	}
}

// changed is the user with its new values.
func (a *Activity) changed() User {
	u := a.Changed
	u.ID = a.User.ID
	return u
}

// ocsfResource writes on what a user got a role.
func ocsfResource(d *document.Doc, a *Activity) {
	o, kind := Object{ID: a.AggregateID}, a.AggregateType
	if a.Project.ID != "" {
		o, kind = a.Project, "project"
	}
	if o.ID == "" {
		return
	}
	d.List("resources")
	d.Map("")
	d.Text("uid", o.ID)
	d.Some("name", o.Name)
	d.Text("type", kind)
	d.End()
	d.End()
}

func (w *Writer) ocsfUnmapped(d *document.Doc, a *Activity, c Class) {
	d.Map("unmapped")
	d.Text("tier", a.Row.Tier.String())
	d.Some("step", string(a.Step))
	object(d, "organization", a.Organization)
	object(d, "trace", Object{ID: a.Trace})
	object(d, "span", Object{ID: a.Span})
	w.own(d, a)
	if c.Class == classBase {
		d.Optional("actor")
		d.Some("id", a.Actor.ID)
		d.Some("name", a.Actor.FullName)
		d.Some("system", a.System)
		d.End()
	}
	if c.Class != classUserAccess && c.Class != classUserManagement {
		texts(d, "roles", a.Roles)
	}
	d.End()
}
