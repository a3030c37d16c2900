// Package redact removes secrets from text, and knows the names of keys whose values are secrets. It
// does not depend on protobuf. Package payload uses it for the payloads of events, and describes
// what it removes there.
//
// # What it promises
//
// [String] replaces secrets by [Redacted] and keeps the text around them:
//
//   - hashes ($2a$, $argon2id$, {SSHA} and the like), JWTs, private keys in PEM and in base64 of DER,
//     Bearer, Basic, Token, ApiKey and DPoP credentials, API keys of known vendors, passwords in URLs,
//     ZITADEL's cookies, and the secret part of a chat webhook's path (Slack, Discord, Teams, Telegram,
//     Mattermost);
//   - values with a secret name (see [ClassOf]), in the forms name=value and list[name]=value (also in
//     URLs inside URLs), name = value, name => value, "name":value (also percent-encoded),
//     <name>value</name>, {Name:value} and map[name:value] as Go prints them, and "password: value".
//     Names may have escapes (\u0070assword, %70assword). The word for a password in some forty other
//     languages is a secret name too (Passwort, contraseña, пароль, 密码), with and without diacritics;
//   - a random word behind a secret name ("token x9f2k1l0a7b3", "password hunter2x").
//
// Redacting twice has the same result as redacting once.
//
// # Its limits
//
//   - A secret of no known shape without a name before it is not removed. Secrets in other encodings
//     (hex, gzip, HTML entities, base64 other than of JSON, PEM and DER) are not removed.
//   - In text, a name and its secret must be adjacent. {"key":"password","value":"x"} and
//     ["password","x"] in a string, a value on the next line (YAML), --password x and the value of an
//     attribute are not removed. An unquoted value ends before "&", white space, a semicolon before
//     white space, or a quote or ">" before punctuation; the rest is not removed. The same is true for
//     a password in a URL behind an unencoded "/", "?" or "#".
//   - "password: changed by admin" is a sentence. A common word of such sentences is kept after the
//     colon, and around a "=" with spaces, even if it is somebody's password. Only the first word of
//     an unquoted value with spaces is removed. Names other than those of passwords count before ": "
//     only with a long random value, and so does "Token x".
//   - Public keys, certificates and identifiers (tokenID, keyID, sessionID) are not secrets.
package redact
