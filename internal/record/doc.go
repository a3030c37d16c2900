// Package record has the records that sources make, and the encoders that turn
// them into what sinks take. [Event] is an audit event. Other records, such as a
// line of the log, implement [Record] in their own packages.
//
// # An event
//
// [AppendJSON] writes one line of JSON, [AppendMsgpack] one Fluent Bit event with
// the same map. The same code writes the fields of both, so that they cannot
// differ.
//
//	| field                    | type    | meaning                                              | left out      |
//	|--------------------------|---------|------------------------------------------------------|---------------|
//	| event.id                 | string  | instance/aggregate type/aggregate id/sequence; stable| never         |
//	| event.type               | string  | event type, such as user.human.added                 | never         |
//	| event.type_localized     | string  | the type in the language asked for                   | when empty    |
//	| event.sequence           | integer | counts per aggregate                                 | never         |
//	| event.time               | string  | when ZITADEL created the event                       | when unknown  |
//	| event.read_at            | string  | when it was read here                                | when unknown  |
//	| aggregate.type           | string  | such as user, org, instance                          | never         |
//	| aggregate.id             | string  | id of the aggregate                                  | never         |
//	| aggregate.resource_owner | string  | organisation (or instance) that owns it              | when empty    |
//	| editor.id                | string  | user id, or a name such as LOGIN                     | when empty    |
//	| editor.name              | string  | display name of the editor                           | when empty    |
//	| editor.service           | string  | service that wrote the event                         | when empty    |
//	| payload                  | map     | the event's own data, nested                         | when absent   |
//	| instance                 | string  | label of the ZITADEL instance                        | never         |
//	| source                   | string  | events_api or actions_webhook, whichever was first   | never         |
//
// editor is left out when all its members are empty. Times are RFC 3339 in UTC
// with exactly six fractional digits, such as 2026-11-22T09:19:13.380434Z.
// The timestamp of the Fluent Bit event is event.time; for an event without
// one it is event.read_at.
//
// # What the encoders promise
//
// The same record gives the same bytes: map keys of the payload are sorted.
// An integral number up to 2^53 is an integer (protobuf's Struct knows float64
// alone); any other number is a float, in JSON with an exponent where it is
// beyond 2^53. NaN and the infinities become the strings "NaN", "Infinity" and
// "-Infinity". Empty lists and maps stay. Invalid UTF-8 is replaced by U+FFFD.
// JSON escapes every control character, the bidirectional controls and the
// characters without width (U+200B to U+200F, U+2028 to U+202E, U+2066 to
// U+2069), so that no text looks other than it is; msgpack holds them as they
// are. JSON leaves <, > and & alone. A list or
// map nested deeper than [MaxDepth] becomes the string [TooDeep].
//
// An encoder allocates nothing when its buffer has room.
//
// # What they do not do
//
// Nothing is redacted here: see package redact, which comes first.
package record
