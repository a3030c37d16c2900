package schema

import "github.com/zitadel-siem/zitadel-siem/internal/document"

// ocsfCall writes the call of an API, or a request.
func (w *Writer) ocsfCall(d *document.Doc, a *Activity) {
	d.Map("api")
	if a.Call.Operation != "" {
		d.Text("operation", a.Call.Operation)
	} else {
		d.Text("operation", "unknown") // required
	}
	if a.Call.ID != "" {
		d.Map("request")
		d.Text("uid", a.Call.ID)
		d.End()
	}
	if a.Call.Service != "" {
		d.Map("service")
		d.Text("name", a.Call.Service)
		d.End()
	}
	d.Optional("response")
	if a.Call.Protocol != "" {
		d.Number("code", float64(a.Call.Status))
	}
	if a.Outcome == Failure {
		d.Some("error", a.Reason)
	}
	d.End()
	d.End()
}
