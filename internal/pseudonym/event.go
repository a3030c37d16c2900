package pseudonym

import "github.com/zitadel-siem/zitadel-siem/internal/record"

// Event replaces the personal values of an event in place: those of its payload and the
// display name of its editor. It returns how many. It is called once, after redaction and
// after the event was learned from.
func (t *Tokens) Event(e *record.Event, known ...Value) (replaced int) {
	if e.Editor.Name != "" {
		known = append(known[:len(known):len(known)], Value{Name, e.Editor.Name})
	}
	replaced = t.Payload(e.Type, e.Payload, known...)
	if token := t.Token(Name, e.Editor.Name); token != e.Editor.Name {
		e.Editor.Name = token
		replaced++
	}
	return replaced
}
