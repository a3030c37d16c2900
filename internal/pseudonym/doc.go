// Package pseudonym replaces personal values by stable keyed tokens, so that rules go on
// working where the clear text is forbidden.
//
// # What it promises
//
//   - The same value gives the same token in every record, as long as the key is the same:
//     a prefix that tells the kind, and 26 characters of HMAC-SHA-256 (130 bits) over the
//     value in its normal form. E-mail addresses and names do not differ by case, phone
//     numbers not by punctuation, addresses not by their textual form. The characters do not
//     depend on the kind: a user name that is an e-mail address has those of the address.
//   - Without the key no token leads to a value, not even by trying all of them.
//   - [Tokens.Payload] replaces what ZITADEL's own source calls personal, by event type and
//     key (table.txt, see gen), by key in types that the table does not know, and every other
//     string of the payload that equals a personal value of the same record.
//   - A value that looks like a token is replaced like any other: nobody can choose a name
//     that passes for the token of somebody else.
//
// # What it does not promise
//
//   - Ids stay, since they are the identity of the record. An API client may choose the id of
//     a user; who puts a name there has it in the clear. The client id of a machine is its
//     user name, and stays where it is the client id.
//   - The event.id of a log line is a hash of the line without a key: who guesses a whole line
//     can confirm the guess.
//   - A personal value inside a longer text of a harmless key stays, such as a name in the
//     name of a project.
//   - Two spellings of one name in different Unicode normal forms give two tokens.
//   - Whoever has the key can try values: keep it apart from the SIEM.
package pseudonym
