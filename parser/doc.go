// Package parser turns lines of ZITADEL's log into records that can be trusted.
//
// A self-hosted ZITADEL prints what an action logs with zitadel/log, and the
// requests it answers, on its standard error among everything else. [Parser.Parse]
// takes one such line as it stands in a file: bare, in the JSON of Docker, of journald and of
// collectors, or behind CRI's prefix (an [Assembler] joins the parts of a split one), as logrus writes it in
// text or JSON, with other key names, without quotes or in a terminal's colours.
//
//	p := parser.New(parser.Options{})
//	var r parser.Record
//	for scanner.Scan() {
//		if p.Parse(scanner.Bytes(), &r) {
//			out = append(parser.AppendJSON(out, &r), '\n')
//		}
//	}
//
// # What it promises
//
// No line is dropped in silence: [Parser.Counts] has each by its [Kind], and what
// announces a record and cannot be read as one is [Malformed].
//
// No secret leaves. ZITADEL's example script prints the whole login request, with the
// password and the session's cookies. Of a login only the fields of [Login] are
// taken; all other text goes through [Scrub].
//
// A field of [Record.Login] is what ZITADEL or the script put in that place, whatever
// else the line holds. The example script quotes nothing, so that a user name can hold
// whatever may follow it; official.go says how the fields are told apart all the
// same. What cannot be told for certain is in [Record.Unverified], and nowhere else:
//
//   - all but the outcome of an example script's message that ZITADEL cut (at
//     1,999 bytes, which a browser's cookies often fill): the visible end may be forged;
//   - error and user name of a failure in which either holds ", username/";
//   - the auth request id of the example script: it stands in the client's form;
//   - everything of a line that is printed unquoted (logrus with DisableQuote, a
//     terminal's colours, a prefix that a tool put before the line), and of JSON whose
//     message has another name than msg or message: another field can read like it;
//   - everything of a line in JSON that an application can have written as well as a
//     collector: injson.go says which keys tell them apart.
//
// Any input gets an answer in time linear in its length, and with one allocation for a
// record and none for a line that is not wanted. Should a line cause a panic all the same,
// [Options.Panicked] keeps it to that line.
//
// # Its limits
//
//   - An action that prints what a user typed, unquoted and first, lets that user
//     write any message, also one that looks like those of the two scripts. The log does not say
//     which action printed a line.
//   - Lines are judged one by one. In a log that is printed unquoted, a newline in any logged text
//     begins a line that its author has to himself, and that can look like a quoted one:
//     it is believed. A record of [TrustNone] tells of such a log, in which nothing
//     proves anything, [TrustFull] included.
//   - User agent, forwarded-for, host and URL are what the client sent, faithfully.
//   - Text of other scripts is scrubbed by names and shapes (see internal/redact): a password
//     in the middle of a sentence has neither.
package parser
