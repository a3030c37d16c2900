package output

import (
	"bytes"

	"github.com/tinylib/msgp/msgp"

	"github.com/zitadel-siem/zitadel-siem/internal/schema"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// isOurs reports whether the record at hand is one that this package, or the input
// plugin, wrote in any format: it came back by a match that is too wide. A line of
// ZITADEL's that a filter took apart has no such keys. A record whose line stands under
// a key that ours do not have is not ours, whatever stands beside the line.
func (w *work) isOurs(line, key []byte) bool {
	if (line == nil || w.isReserved(key)) && w.isRaw() {
		return true
	}
	// The other formats have one text that may be taken for a line.
	return (line == nil || string(key) == "message") && (w.isECS() || w.isOCSF() || w.isSyslog(line))
}

// isRaw recognizes the record of a line. The record of an event has no key for a line,
// and is counted as a record without one.
func (w *work) isRaw() bool {
	return is(w.value("source"), parser.Source) && isText(w.value("trust")) && bytes.Contains(textAt(w.value("event"), "id"), []byte("/"+parser.Source+"/"))
}

func (w *work) isECS() bool {
	event := w.value("event")
	return bytes.HasPrefix(textAt(event, "dataset"), []byte("zitadel.")) && string(textAt(event, "module")) == "zitadel" &&
		textAt(event, "id") != nil && textAt(w.value("ecs"), "version") != nil && textAt(w.value("zitadel"), "tier") != nil
}

func (w *work) isOCSF() bool {
	metadata := w.value("metadata")
	return bytes.HasPrefix(textAt(metadata, "log_name"), []byte("zitadel.")) && textAt(metadata, "uid") != nil && textAt(metadata, "event_code") != nil &&
		w.value("class_uid") != nil && textAt(w.value("unmapped"), "tier") != nil
}

// isSyslog recognizes CEF and LEEF, with what stands beside them.
func (w *work) isSyslog(line []byte) bool {
	const names = schema.Vendor + "|" + schema.Product + "|"
	return (bytes.HasPrefix(line, []byte("CEF:0|"+names)) || bytes.HasPrefix(line, []byte("LEEF:2.0|"+names))) &&
		is(w.value("app"), "zitadel") && isText(w.value("host")) && isText(w.value("msgid")) && w.value("severity") != nil
}

// value returns the value of a top-level key other than that of the line, or nil.
func (w *work) value(name string) []byte {
	for i := range w.fields {
		if string(w.fields[i].name) == name {
			return w.fields[i].value
		}
	}
	return nil
}

// textAt returns the text under a key of the map m, or nil.
func textAt(m []byte, key string) []byte {
	if msgp.NextType(m) != msgp.MapType {
		return nil
	}
	text, _ := readText(msgp.Locate(key, m))
	return text
}

func is(value []byte, want string) bool {
	text, ok := readText(value)
	return ok && string(text) == want
}

func isText(value []byte) bool {
	_, ok := readText(value)
	return ok
}
