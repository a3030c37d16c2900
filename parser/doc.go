// Package parser turns lines of ZITADEL's log into records that can be trusted.
//
// A self-hosted ZITADEL prints the messages of zitadel/log in actions, and the requests that
// it answers, on its standard error, together with everything else. [Parser.Parse] takes one
// line of such a log: bare, in the JSON of Docker, journald or a collector, or with CRI's
// prefix. The line may be in logrus's text or JSON format, with other key names, without
// quotes, or with terminal colours. An [Assembler] joins lines that were split.
//
//	p := parser.New(parser.Options{})
//	var r parser.Record
//	for scanner.Scan() {
//		if p.Parse(scanner.Bytes(), &r) {
//			out = append(parser.AppendJSON(out, &r), '\n')
//		}
//	}
//
// The lines about a request that ZITADEL answered are records of their own kinds: [Access] has
// what the client sent, [Served] who it was. A [Joiner] puts the two together.
//
// # What it promises
//
// No line is dropped silently: [Parser.Counts] counts each line by its [Kind]. A line of the
// log store that cannot be parsed is [Malformed].
//
// No secret leaves. ZITADEL's example script prints the whole login request, with the
// password and the session's cookies. Only the fields of [Login] are taken from a login; all
// other text goes through [Scrub].
//
// A field of [Record.Login] has the value that ZITADEL or the script wrote in that place,
// whatever else is in the line. The example script quotes nothing, so that a user name can
// contain any text that may follow it; official.go describes how the fields are separated.
// Values that are not certain are in [Record.Unverified] only:
//
//   - everything but the outcome, if ZITADEL cut a message of the example script (at 1,999
//     bytes, which a browser's cookies often exceed): the visible end may be forged;
//   - error and user name of a failed login if either contains ", username/";
//   - the auth request id of the example script: it is from the client's form;
//   - everything of a line that is printed unquoted (logrus with DisableQuote, terminal
//     colours, a prefix of a tool), and of JSON whose message has another key than msg or
//     message: another field can look like it;
//   - everything of a line in JSON that an application may have written; injson.go describes
//     which keys show that a collector wrote it.
//
// Parsing takes time linear in the length of the line. It makes one allocation for a record,
// and none for a line of an unwanted kind. With [Options.Panicked], a panic affects only the
// line that caused it.
//
// # Its limits
//
//   - An action that prints user input first and unquoted lets the user write any message,
//     including messages that look like those of the two scripts. The log does not say which
//     action printed a line.
//   - Each line is judged by itself. In a log that is printed unquoted, a newline in logged
//     text begins a line that an attacker controls completely. It can look quoted, and is
//     then trusted. A record with [TrustNone] shows that the log is such a log: then do not
//     trust any line of it, even with [TrustFull].
//   - User agent, forwarded-for, host and URL are what the client sent.
//   - Text of other scripts is scrubbed by names and shapes (see internal/redact). A password
//     in the middle of a sentence has neither.
package parser
