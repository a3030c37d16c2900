package zitadeltest

import (
	_ "embed"
	"strings"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
)

//go:embed data/event_types.tsv
var eventTypesTSV string

//go:embed data/aggregate_types.tsv
var aggregateTypesTSV string

// translations are the names recorded in other languages. A missing one is shown in
// English, as in ZITADEL.
var translations = map[string]map[string]string{
	"de": {
		"AggregateTypes.org":                      "Organisation",
		"EventTypes.org.flow.trigger_actions.set": "Aktionen festgelegt",
	},
	"ja": {
		"AggregateTypes.org":                      "組織",
		"EventTypes.org.flow.trigger_actions.set": "アクションのセット",
	},
}

// names are the registered types of the recorded ZITADEL.
type names struct {
	eventTypes, aggregateTypes []string          // sorted
	aggregateOf                map[string]string // event type -> aggregate type
	english                    map[string]string // key -> name; no entry: the key itself is shown

	mu       sync.RWMutex
	segments map[segment][]byte
}

// segment names an encoded EventType or AggregateType.
type segment struct{ prefix, typ, lang string }

var catalogue = sync.OnceValue(func() *names {
	c := &names{aggregateOf: map[string]string{}, english: map[string]string{}, segments: map[segment][]byte{}}
	for line := range strings.Lines(eventTypesTSV) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		c.eventTypes = append(c.eventTypes, f[0])
		c.aggregateOf[f[0]] = f[1]
		if f[2] != "" {
			c.english[eventTypeKey+f[0]] = f[2]
		}
	}
	for line := range strings.Lines(aggregateTypesTSV) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		c.aggregateTypes = append(c.aggregateTypes, f[0])
		if f[1] != "" {
			c.english[aggregateTypeKey+f[0]] = f[1]
		}
	}
	return c
})

const (
	eventTypeKey     = "EventTypes."
	aggregateTypeKey = "AggregateTypes."
)

// name is the localized message of a key. An unknown key is shown as it is.
func (c *names) name(key, lang string) string {
	if n, ok := translations[lang][key]; ok {
		return n
	}
	if n, ok := c.english[key]; ok {
		return n
	}
	return key
}

// encoded is an EventType or AggregateType message, which have the same fields:
// type = 1, localized = 2 {key = 1, localized_message = 2}.
func (c *names) encoded(prefix, typ, lang string) []byte {
	if _, ok := translations[lang]; !ok {
		lang = ""
	}
	id := segment{prefix, typ, lang}
	c.mu.RLock()
	b, ok := c.segments[id]
	c.mu.RUnlock()
	if ok {
		return b
	}
	key := prefix + typ
	localized := appendString(nil, 1, key)
	localized = appendString(localized, 2, c.name(key, lang))
	b = appendString(nil, 1, typ)
	b = protowire.AppendTag(b, 2, protowire.BytesType)
	b = protowire.AppendBytes(b, localized)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.segments[id] = b
	return b
}

// appendString omits an empty string, as proto3 does.
func appendString(b []byte, field protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendString(b, s)
}

// language is the first language of an Accept-Language header that has names of its
// own, otherwise English.
func language(header string) string {
	for part := range strings.SplitSeq(header, ",") {
		tag, _, _ := strings.Cut(part, ";")
		base, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		if base == "en" {
			return ""
		}
		if _, ok := translations[base]; ok {
			return base
		}
	}
	return ""
}
