package schema

import (
	"github.com/zitadel-siem/zitadel-siem/internal/document"
)

// ecsVersion is the version of the Elastic Common Schema.
const ecsVersion = "9.4.0"

// ecs writes a in the Elastic Common Schema. What it has no field for is under
// "zitadel", as texts, so that no field ever has two types.
func (w *Writer) ecs(d *document.Doc, a *Activity) {
	d.Time("@timestamp", a.at())
	w.paste(d, a, topPart, Class{}, ecsTop)
	if a.Message != "" {
		d.Text("message", a.Message)
	} else {
		d.Text("message", a.Title)
	}
	w.ecsEvent(d, a)
	w.ecsUser(d, a)
	w.ecsFrom(d, a)

	object(d, "organization", a.Organization)
	if a.Row.Entity.ID == 3 {
		object(d, "group", a.Entity)
	}
	if a.Level != "" {
		d.Map("log")
		d.Text("level", a.Level)
		d.End()
	}
	if a.Outcome == Failure && a.Reason != "" && a.Row.own {
		d.Map("error")
		d.Text("message", a.Reason)
		d.End()
	}
	w.ecsRelated(d, a)
	w.ecsOwn(d, a)
}

// ecsTop writes what is the same in every record.
func ecsTop(d *document.Doc) {
	d.Map("ecs")
	d.Text("version", ecsVersion)
	d.End()
	d.Map("service")
	d.Text("name", "zitadel")
	d.Text("type", "zitadel")
	d.End()
	d.Map("observer")
	d.Text("vendor", Vendor)
	d.Text("product", Product)
	d.End()
}

func (w *Writer) ecsEvent(d *document.Doc, a *Activity) {
	d.Map("event")
	d.Text("id", a.ID)
	if len(a.Metrics) > 0 {
		d.Text("kind", "metric")
	} else {
		d.Text("kind", "event")
	}
	w.paste(d, a, eventPart, Class{}, func(d *document.Doc) {
		d.Text("action", a.Type)
		texts(d, "category", a.Row.Category)
		texts(d, "type", a.Row.Kinds)
		d.Text("outcome", a.Outcome.String())
		d.Uint("severity", uint64(cefSeverity(a.Severity)))
		d.Text("module", "zitadel")
	})
	d.Some("reason", a.Reason)
	d.Text("dataset", a.dataset())
	d.Text("provider", a.Source)
	if a.Sequence != 0 {
		d.Uint("sequence", a.Sequence)
	}
	d.Time("created", a.Read)
	if a.Took > 0 {
		d.Uint("duration", uint64(a.Took))
	}
	if original := w.original(a); original != nil {
		d.TextBytes("original", original)
	}
	d.End()
}

// ecsUser writes user: of an authentication the one who authenticated, of a
// change the one who did it, with whom it was done to as user.target.
func (w *Writer) ecsUser(d *document.Doc, a *Activity) {
	d.Optional("user")
	switch {
	case a.Impersonated:
		ecsUser(d, &a.Actor, nil)
		ecsUserAs(d, "effective", &a.User, nil)
	case a.Row.auth:
		ecsUser(d, &a.User, a.Roles)
	default:
		ecsUser(d, &a.Actor, nil)
		ecsUserAs(d, "target", &a.User, a.Roles)
		ecsUserAs(d, "changes", &a.Changed, nil)
	}
	d.End()
}

func ecsUserAs(d *document.Doc, key string, u *User, roles []string) {
	if *u == (User{}) && len(roles) == 0 {
		return
	}
	d.Optional(key)
	ecsUser(d, u, roles)
	d.End()
}

func ecsUser(d *document.Doc, u *User, roles []string) {
	d.Some("id", u.ID)
	d.Some("name", u.Name)
	d.Some("email", u.Email)
	d.Some("full_name", u.FullName)
	texts(d, "roles", roles)
}

// ecsFrom writes where it came from.
func (w *Writer) ecsFrom(d *document.Doc, a *Activity) {
	if a.HasAddress() {
		w.ecsAddress(d, "source", a)
		if a.Call.Service != "" {
			w.ecsAddress(d, "client", a)
		}
	}
	if a.UserAgent != "" {
		d.Map("user_agent")
		d.Text("original", a.UserAgent)
		d.End()
	}
	if a.Call.Path != "" || a.Call.Host != "" {
		d.Map("url")
		d.Some("original", a.Call.Path)
		host, port := splitHost(a.Call.Host)
		d.Some("domain", host)
		if port != 0 {
			d.Uint("port", uint64(port))
		}
		d.End()
	}
	w.ecsHTTP(d, a)
}

func (w *Writer) ecsAddress(d *document.Doc, key string, a *Activity) {
	d.Map(key)
	if a.IP.IsValid() {
		w.ip(d, "ip", a)
	}
	d.Some("address", a.Address)
	d.End()
}

func (w *Writer) ecsHTTP(d *document.Doc, a *Activity) {
	status := a.Call.HTTPStatus
	if a.Call.Protocol == "http" {
		status = a.Call.Status
	}
	d.Optional("http")
	d.Optional("request")
	d.Some("id", a.Call.ID)
	d.Some("method", a.Call.Method)
	d.End()
	if status > 0 {
		d.Map("response")
		d.Uint("status_code", uint64(status))
		d.End()
	}
	d.End()
	object(d, "trace", Object{ID: a.Trace})
	object(d, "span", Object{ID: a.Span})
}

func (w *Writer) ecsRelated(d *document.Doc, a *Activity) {
	d.Optional("related")
	d.OptionalList("user")
	actor := a.Actor
	if a.Row.auth && !a.Impersonated {
		actor = User{} // the login client, or the user
	}
	all := [...]string{actor.ID, actor.Name, a.User.ID, a.User.Name, a.User.Email, a.Changed.Name, a.Changed.Email}
	for i, s := range all {
		if s != "" && !contains(all[:i], s) {
			d.Text("", s)
		}
	}
	for _, s := range a.Users {
		d.Text("", s)
	}
	d.End()
	if a.IP.IsValid() {
		d.List("ip")
		w.ip(d, "", a)
		d.End()
	}
	d.End()
}

// ecsOwn writes what ECS has no field for.
func (w *Writer) ecsOwn(d *document.Doc, a *Activity) {
	d.Map("zitadel")
	d.Some("instance", a.Instance)
	d.Text("tier", a.Row.Tier.String())
	w.own(d, a)
	d.Optional("actor")
	if a.Row.auth && !a.Impersonated && (a.Actor.ID == "" || a.Actor.ID != a.User.ID) {
		d.Some("id", a.Actor.ID)
		d.Some("name", name(&a.Actor))
	}
	d.Some("system", a.System)
	d.End()
	d.Some("step", string(a.Step))
	if a.Factored > 0 {
		d.List("factors")
		for _, f := range a.Factors[:a.Factored] {
			d.Text("", f.Name)
		}
		d.End()
	}
	if a.Step == StepLogin && a.Factored > 0 {
		d.Bool("mfa", a.MFA())
	}
	if a.Row.Entity.Name != "" && a.Row.Entity.ID != 2 {
		d.Map("entity")
		d.Text("type", a.Row.Entity.Name)
		d.Some("id", a.Entity.ID)
		d.Some("name", a.Entity.Name)
		d.End()
	}
	d.End()
}

// texts writes a list of texts, unless it is empty.
func texts(d *document.Doc, key string, list []string) {
	if len(list) == 0 {
		return
	}
	d.List(key)
	for _, s := range list {
		d.Text("", s)
	}
	d.End()
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}
