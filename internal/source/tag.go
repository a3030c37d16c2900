package source

import (
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// tagger returns the tags of the setting tag_by. An empty tag is the host's own.
func tagger(base, by string) func(record.Record) string {
	switch by {
	case "aggregate_type":
		return func(r record.Record) string {
			// A record that is of no aggregate, such as an API call, has its type.
			if e, ok := r.(*record.Event); ok && e.Sequence > 0 {
				return base + "." + tagPart(e.AggregateType)
			}
			return base + "." + tagPart(r.EventType())
		}
	case "event_type":
		return func(r record.Record) string { return base + "." + tagPart(r.EventType()) }
	}
	return nil
}

// maxTagPart: ZITADEL's longest event type has 64 characters.
const maxTagPart = 128

// tagPart replaces what must not stand in one part of a tag: outputs make file
// names, indexes and topics of tags.
func tagPart(s string) string {
	if len(s) > maxTagPart {
		s = s[:maxTagPart]
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
			return r
		}
		return '_'
	}, s)
	if strings.Trim(s, ".") == "" {
		return "unknown"
	}
	return s
}
