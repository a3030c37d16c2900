// Package redact removes secrets from text before it leaves, and knows the names of keys whose values
// are secrets. It depends on no protobuf; [payload] is for the payloads of events.
//
// # What it promises
//
// After payload.Redact no value of a payload holds what ZITADEL knows to be a
// secret: password and secret hashes, encrypted values, codes, tokens, cookies,
// keys, nonces and challenges, free metadata values, action scripts, and what
// follows the host in callback URLs. What was removed stays visible as
// [Redacted]; the keys around it, empty values, booleans and the shape of lists
// and maps stay. Three rules work together, at any depth:
//
//   - by event type: table.txt lists the secret paths of every event type of
//     ZITADEL's own source (560 types), see gen;
//   - by key, for types and fields that the table does not know: password,
//     clientSecret, client_secret, idToken, code, nonce and so on, whatever
//     their case, separators and final digits; names with "password" or
//     "secret" anywhere (passwordValue, newPasswordRepeat) unless their end says
//     that they are about it (passwordPolicy, secretId); names in HTTP headers
//     other than a short list of harmless ones, be the headers a map, a list of
//     pairs or a list of lines; a "value" beside a "key", "name", "id", "field"
//     or "type" that is such a name;
//     objects of the shape {CryptoType, Algorithm, KeyID, Crypted} whatever
//     their key; the private members of a JWK;
//   - by shape, in every string: hashes ($2a$, $argon2id$, {SSHA} and the like),
//     JWTs, private keys in PEM and in base64 of DER, Bearer, Basic, Token, ApiKey
//     and DPoP credentials, API keys of known vendors, passwords in URLs,
//     name=value and list[name]=value (also in URLs inside URLs), name = value,
//     name => value, "name":value (also with percent-encoded quotes) and
//     <name>value</name> where the name is secret, {Name:value} and
//     map[name:value] as Go prints them, "password: value", ZITADEL's cookies;
//     escapes in the name (\u0070assword, %70assword) hide nothing. The word for a password in
//     some forty other languages is a name too (Passwort, contraseña, пароль, 密码), with and without
//     diacritics. A random word behind a bare name ("token x9f2k1l0a7b3", "password hunter2x"), and the
//     secret part of a chat webhook's path (Slack, Discord, Teams, Telegram, Mattermost).
//     Only the secret part of the string goes. A string that is itself JSON, or
//     base64 of it, goes as a whole.
//
// Redaction twice gives the same as once. A type that ZITADEL adds tomorrow is
// redacted by key and by shape.
//
// # Its limits
//
//   - Personal data stays: names, e-mail addresses, phone numbers, IP addresses
//     and user agents are what an audit trail is for.
//   - A secret of no known shape under a harmless key stays, such as a password
//     that a user typed into the user name. So do secrets in other encodings
//     (hex, gzip, HTML entities, base64 other than of JSON, PEM and DER).
//   - In text a name and its secret stand beside each other. {"key":"password","value":"x"}
//     and ["password","x"] in a string, a value on the line below (YAML), --password x and
//     an attribute's value are not seen. Nor is more of a value without quotes than its
//     part before "&", white space, a semicolon before white space, or a quote or ">" before
//     punctuation; or a password in a URL with "/", "?" or "#" as they are.
//   - Public keys, certificates and identifiers (tokenID, keyID, sessionID) are
//     no secrets. Booleans stay, and so do numbers under keys that name a count
//     (maxPassword) or only end in token, key or the like (maxToken).
//   - "password: changed by admin" is a sentence: after the colon, and around
//     a "=" with spaces, a common word of such sentences stays, even where it
//     is somebody's password. Of a value with spaces and no quotes the first
//     word goes. Names other than a password's count before ": " only with a
//     long random value, and "Token x" likewise.
//   - A callback URL (target, SMTP and SMS provider) keeps its scheme, host
//     and port, which say where data went. A credential in the host name stays.
//   - Of a record's other fields payload.Record looks at the editor's display name
//     alone, by shape. Type, ids, sequence, times, resource owner and instance
//     are not touched: ZITADEL or the operator makes them, and the id of an
//     aggregate, which an API client may choose, is the record's identity.
//
// [payload]: https://pkg.go.dev/github.com/zitadel-siem/zitadel-siem/internal/redact/payload
package redact
