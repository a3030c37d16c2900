package schema

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// Event fills a from an event or from an API call. Secrets must be redacted
// before. r must not change while a is in use.
func (t *Table) Event(a *Activity, r *record.Event) {
	a.reset()
	row, known := t.Row(r.Type)
	call := ofCall(row, r.AggregateType)
	if row.own && !call {
		// A sender of events may choose any type, but not become a source of our own.
		row, _ = t.derive(Row{Type: r.Type, Title: "Event of a type that the table does not know"})
		known = false
	}
	a.event = r
	a.Type = r.Type
	a.set(row, known)
	a.Source, a.Instance = r.Source, r.Instance
	a.scratch = r.Key.AppendID(a.scratch)
	a.ID = text(a.scratch)
	a.Time, a.Read, a.Sequence = r.Time, r.Read, r.Sequence
	a.AggregateType, a.AggregateID = r.AggregateType, r.AggregateID
	a.Organization.ID = r.ResourceOwner
	a.editor(&r.Editor)

	if call {
		a.call(r)
		return
	}
	if row.User == "aggregate" {
		a.User.ID = r.AggregateID
	}
	switch {
	case strings.HasPrefix(r.Type, "user.human."):
		a.User.Kind = Human
	case strings.HasPrefix(r.Type, "user.machine."), strings.HasPrefix(r.Type, "user.pat."):
		a.User.Kind = Machine
	}
	a.payload(row, r.Payload.GetFields())
	a.object(row)
}

// webhookAggregate is the aggregate type of API calls.
const webhookAggregate = "webhook"

// ofCall reports whether a row and an aggregate type are those of an API call.
func ofCall(r *Row, aggregate string) bool {
	return r.own && aggregate == webhookAggregate && strings.HasPrefix(r.Type, "api.")
}

// editor tells users from the parts of ZITADEL that write events. Whoever creates
// a user can choose its id, also "LOGIN". But ZITADEL gives the display name of a
// user, and its parts have none. Pushed events have no display names; there such
// a user looks like a part of ZITADEL.
func (a *Activity) editor(e *record.Editor) {
	if e.Name != "" {
		a.Actor.ID, a.Actor.FullName = e.ID, e.Name
		return
	}
	if PartOfZITADEL(e.ID) {
		a.System = e.ID
	} else {
		a.Actor.ID = e.ID
	}
}

// PartOfZITADEL reports whether an editor without a display name is a part of ZITADEL.
func PartOfZITADEL(id string) bool {
	switch id {
	case "LOGIN", "NOTIFICATION", "SYSTEM", "OIDC", "SAML", "system", "System", "zitadel":
		return true
	}
	return false
}

// payload takes the values of an event's payload in one pass. What no field
// takes is a detail.
func (a *Activity) payload(row *Row, fields map[string]*structpb.Value) {
	account := row.Entity.ID == 2 && (row.Group == "acc_create" || row.Group == "acc_update" || row.Group == "acc_update_m")
	idp := row.Entity.Name == "Identity Provider"
	who := &a.Changed
	if row.Group == "acc_create" {
		who = &a.User
	}
	var id, name string
	for key, v := range fields {
		s, isText := textOf(v)
		if key == row.user && row.user != "" {
			a.users(v)
			continue
		}
		if key == row.roles && row.roles != "" && a.texts(v) {
			continue
		}
		switch key {
		case "remoteIP":
			if isText && (s == "" || a.setIP(s, IPForwarded)) {
				continue
			}
		case "userAgent", "user_agent", "UserAgent":
			if isText {
				a.UserAgent = s
				continue
			}
			if o := v.GetStructValue().GetFields(); o != nil {
				a.client(o)
				continue
			}
		case "sessionID", "session_id", "SessionID":
			if isText {
				a.Session = s
				continue
			}
		case "clientID", "clientId", "client_id", "ClientID", "entityID":
			if isText && !idp {
				a.Client = s
				continue
			}
		case "applicationId", "appId", "application_id":
			if isText {
				a.Application.ID = s
				continue
			}
		case "projectId":
			if isText {
				a.Project.ID = s
				continue
			}
		case "grantId":
			if isText {
				a.Grant = s
				continue
			}
		case "idpConfigId", "selectedIDPConfigID", "idpId", "idpConfigID":
			if isText {
				a.IDP.ID = s
				continue
			}
		case "userResourceOwner", "UserOrgID":
			if isText {
				a.User.Org = s
				continue
			}
		case "userAgentID", "userAgentId":
			if isText {
				a.Agent = s
				continue
			}
		case "authRequestID":
			if isText {
				a.AuthRequest = s
				continue
			}
		case "id":
			if isText && row.Client == "flat" {
				a.AuthRequest = s
				continue
			}
			if isText && idp {
				id = s
				continue
			}
		case "keyId", "tokenId", "domain":
			if isText && (row.Entity.Name == "Credential" || row.Entity.Name == "Domain") {
				id = s
				continue
			}
		case "key":
			if isText && row.Entity.Name == "Role" {
				id = s
				continue
			}
		case "role":
			if isText && row.Entity.Name == "Role" {
				id = s
				a.Roles = append(a.Roles, s)
				continue
			}
		case "authMethods", "auth_methods", "UserAuthMethods":
			if a.methods(v) {
				continue
			}
		case "reason", "Reason":
			if n, isNumber := v.GetKind().(*structpb.Value_NumberValue); isNumber {
				s, isText = enumWord(row.Type, key, n.NumberValue)
			}
			if isText {
				a.Reason = s
				continue
			}
		case "error":
			if isText {
				a.Reason = s
				continue
			}
		case "actor":
			if o := v.GetStructValue().GetFields(); o != nil {
				a.impersonator(row, o)
				continue
			}
		case "userName":
			if isText && account {
				who.Name = s
				continue
			}
		case "email":
			if isText && account {
				who.Email = s
				continue
			}
		case "displayName":
			if isText && account {
				who.FullName = s
				continue
			}
		case "name":
			if isText && account {
				who.FullName = s
				continue
			}
			if isText {
				name = s
				continue
			}
		}
		a.details = append(a.details, key)
	}
	slices.Sort(a.details)
	a.Entity = Object{id, name}
}

// object says what the event is about, where the payload left it open.
func (a *Activity) object(row *Row) {
	switch a.AggregateType {
	case "session":
		a.Session = a.AggregateID
	case "auth_request", "saml_request":
		a.AuthRequest = a.AggregateID
	case "project":
		a.Project.ID = a.AggregateID
		if row.Entity.Name == "Project" {
			a.Project.Name = a.Entity.Name
		}
	case "usergrant":
		a.Grant = a.AggregateID
	}
	switch {
	case a.Entity.ID != "":
	case row.Entity.Name == "Application" && a.Application.ID != "":
		a.Application.Name = a.Entity.Name
		a.Entity.ID = a.Application.ID
	case row.Entity.Name == "Identity Provider" && a.IDP.ID != "":
		a.Entity.ID = a.IDP.ID
	case row.Entity.Name == "Project Grant" && a.Grant != "":
		a.Entity.ID = a.Grant
	case row.Entity.ID == 2:
		a.Entity = Object{a.User.ID, a.User.Name}
	default:
		a.Entity.ID = a.AggregateID
	}
	switch {
	case row.Entity.Name == "Identity Provider":
		a.IDP = a.Entity
	case row.Entity.Name == "Organization":
		a.Organization.Name = a.Entity.Name
	case a.Entity.Name == "" && (row.Entity.ID == 5 || strings.HasSuffix(row.Entity.Name, "Setting") || row.Entity.Name == "Feature Flag"):
		a.Entity.Name = middle(row.Type) // which one of many only the type says
	}
}

// middle returns a type without its first and last part, and without "policy.".
func middle(typ string) string {
	_, rest, _ := strings.Cut(typ, ".")
	if i := strings.LastIndexByte(rest, '.'); i > 0 {
		rest = rest[:i]
	}
	for _, prefix := range [...]string{"policy.", "instance.", "system."} {
		rest = strings.TrimPrefix(rest, prefix)
	}
	return rest
}

// users takes the user of the payload, or several.
func (a *Activity) users(v *structpb.Value) {
	if s, ok := textOf(v); ok {
		a.User.ID = s
		return
	}
	for _, e := range v.GetListValue().GetValues() {
		if s, ok := textOf(e); ok {
			a.Users = append(a.Users, s)
		}
	}
	if len(a.Users) == 1 {
		a.User.ID = a.Users[0]
		a.Users = a.Users[:0]
	}
}

func (a *Activity) texts(v *structpb.Value) bool {
	list, ok := v.GetKind().(*structpb.Value_ListValue)
	if !ok {
		return false
	}
	for _, e := range list.ListValue.GetValues() {
		if s, ok := textOf(e); ok {
			a.Roles = append(a.Roles, s)
		}
	}
	return true
}

func (a *Activity) methods(v *structpb.Value) bool {
	list, ok := v.GetKind().(*structpb.Value_ListValue)
	if !ok {
		return false
	}
	for _, e := range list.ListValue.GetValues() {
		if n := e.GetNumberValue(); n > 0 && n < float64(len(authMethods)) && authMethods[int(n)].ID != 0 {
			a.addFactor(authMethods[int(n)])
		}
	}
	return true
}

// client takes address and user agent of a session's object.
func (a *Activity) client(o map[string]*structpb.Value) {
	if s, ok := textOf(o["ip"]); ok {
		a.setIP(s, IPSession)
	}
	if s, ok := textOf(o["description"]); ok {
		a.UserAgent = s
	}
	if s, ok := textOf(o["fingerprint_id"]); ok {
		a.Agent = s
	}
}

// impersonator takes the user who acts as another one.
func (a *Activity) impersonator(row *Row, o map[string]*structpb.Value) {
	s, _ := textOf(o["user_id"])
	if s == "" || s == a.User.ID {
		return
	}
	a.Actor, a.System = User{ID: s}, ""
	a.Impersonated = row.auth
}

func textOf(v *structpb.Value) (string, bool) {
	s, ok := v.GetKind().(*structpb.Value_StringValue)
	if !ok {
		return "", false
	}
	return s.StringValue, true
}

// call takes the fields of an API call.
func (a *Activity) call(r *record.Event) {
	forwarded := ""
	for key, v := range r.Payload.GetFields() {
		s, isText := textOf(v)
		if isText {
			switch key {
			case "method", "function":
				a.Call.Operation = s
				continue
			case "target":
				a.Call.Target = s
				continue
			case "project_id":
				a.Project.ID = s
				continue
			case "application_id":
				a.Application.ID = s
				continue
			case "forwarded_for":
				forwarded = s
				continue
			case "user_agent":
				a.UserAgent = s
				continue
			case "host":
				a.Call.Host = s
				continue
			case "change_date":
				a.Call.ChangeDate = s
				continue
			case "error":
				a.Reason = s
				a.Outcome = Failure
				a.Severity = max(a.Severity, Low)
				continue
			}
		}
		a.details = append(a.details, key)
	}
	slices.Sort(a.details)
	a.setForwarded(forwarded)
}
