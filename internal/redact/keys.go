package redact

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Class is what the name of a key tells about its value.
type Class uint8

// The classes.
const (
	PlainName   Class = iota
	SecretName        // a secret: strings and numbers are removed
	SecretPlace       // the same as a key of a payload, but not in name=value in text
	SecretEnd         // ends like a secret: strings are removed
	SecretLeaf        // a secret unless the value is an object
	HeaderMap         // HTTP headers if the value is an object
	PairValue         // "value", see secretPair
	StateName         // "state", see authRequest
	AddressName       // where data is sent: scheme and host are kept
	AuthName          // "auth": a secret if the value looks like one
)

// SecretKey reports whether values under a key of this name are secrets in events of any type.
func SecretKey(name string) bool {
	switch ClassOf(name) {
	case SecretName, SecretPlace, SecretEnd, SecretLeaf, AddressName, AuthName:
		return true
	}
	return false
}

// longestName is how much of the end of a name is used.
const longestName = 64

// ClassOf returns the class of a key. Case and separators do not matter: clientSecret,
// client_secret and Client-Secret have the same class.
func ClassOf(key string) Class {
	var room [longestName]byte
	at := longestName
	letters := uint32(0) // a bit for each letter of the name, and foreignLetters
	for i := len(key) - 1; i >= 0 && at > 0; i-- {
		switch c := key[i]; c {
		case '_', '-', '.', ' ':
		default:
			if c-'A' < 26 {
				c |= 0x20
			}
			if at == longestName && '0' <= c && c <= '9' {
				continue // password1, secret_2
			}
			at--
			room[at] = c
			if c >= utf8.RuneSelf {
				letters |= foreignLetters
			}
			letters |= 1 << (c & 31)
		}
	}
	name := room[at:]
	if letters&foreignLetters != 0 && isForeign(key) {
		return SecretName
	}
	if len(name) < 3 { // "pin" is the shortest
		return PlainName
	}
	switch string(name) {
	case "code", "codes", "pin", "otp", "totp", "hash", "jwt", "jwe", "bearer",
		"authorization", "proxyauthorization", "assertion", "verifier", "codeverifier", "pkceverifier",
		"crypted", "relaystate", "samlresponse", "codechecked", "oauthstate", "authstate", "idtokenhint",
		"pass", "userpass", "dbpass", "smtppass", "ldappass", "bindpass", "adminpass", "rootpass",
		"csrf", "xsrf", "samlrequest", "magiclink", "magiclinkurl", "mnemonic":
		return SecretName
	case "script", "idparguments", "seed", "encrypted":
		return SecretPlace
	case "endpoint", "callurl", "callbackurl":
		return AddressName
	case "auth", "basicauth":
		return AuthName
	case "cred", "creds", "credential", "credentials":
		return SecretLeaf
	case "header", "headers":
		return HeaderMap
	case "value", "values", "val":
		return PairValue
	case "state":
		return StateName
	}
	if endsForeign(name) {
		return SecretName
	}
	if name[len(name)-1] == 's' {
		name = name[:len(name)-1]
	}
	if string(name[max(0, len(name)-6):]) == "header" {
		return HeaderMap
	}
	if c := ending(name); c != PlainName {
		return c
	}
	if base := withoutForm(name); base != nil && ending(base) != PlainName {
		return SecretEnd
	}
	if letters&secretLetters == secretLetters && within(name, "secret") ||
		letters&passwLetters == passwLetters && (within(name, "password") || within(name, "passwd")) {
		return SecretEnd
	}
	return PlainName
}

// ending returns the class of a name by its end.
func ending(name []byte) Class {
	ends := endings(name)
	for i, end := range ends {
		rest := len(name) - len(end)
		if rest < 0 || string(name[rest:]) != end {
			continue
		}
		// A password or a code may be a number. A number under maxTokens is not a secret.
		switch mayBeNumber := len(ends) == len(shortEnds) || len(ends) == len(codeEnds) || len(ends) == len(wordEnds) && i < numberEnds; {
		case rest == 0, mayBeNumber && !quantity(name[:rest]):
			return SecretName
		default:
			return SecretEnd
		}
	}
	return PlainName
}

// quantity reports whether a name starts with a word for a count.
func quantity(start []byte) bool {
	if len(start) < 3 {
		return false
	}
	switch string(start[:3]) {
	case "max", "min", "num":
		return true
	}
	return bytes.HasPrefix(start, []byte("count")) || bytes.HasPrefix(start, []byte("total"))
}

// withoutForm removes the last word of tokenValue, tokenString, secretBytes and the like. It
// returns nil if name has no such word. A final s was removed before.
func withoutForm(name []byte) []byte {
	if len(name) < 4 {
		return nil
	}
	n := 4
	switch string(name[len(name)-4:]) {
	case "byte", "text", "data", "hash":
	case "alue":
		n = len("value")
	case "ring":
		n = len("string")
	default:
		return nil
	}
	return name[:max(0, len(name)-n)]
}

// lettersOf is the set of letters of a word. ClassOf compares sets before it searches.
func lettersOf(word string) (set uint32) {
	for i := range len(word) {
		set |= 1 << (word[i] & 31)
	}
	return set
}

// foreignLetters is the bit for letters that are not ASCII.
const foreignLetters = 1 << 0

var (
	secretLetters = lettersOf("secret")
	passwLetters  = lettersOf("passwd")
)

// within reports whether name contains word, and does not end in a word of about.
func within(name []byte, word string) bool {
	at := bytes.LastIndex(name, []byte(word))
	if at < 0 {
		return false
	}
	rest := name[at+len(word):]
	if bytes.HasPrefix(rest, []byte("les")) || bytes.HasPrefix(rest, []byte("ary")) { // passwordless (its s is gone), secretary
		return false
	}
	for _, end := range about {
		if bytes.HasSuffix(rest, []byte(end)) {
			return false
		}
	}
	return true
}

// about are the last words of names of properties of a password or a secret:
// passwordChangeRequired, secretId, passwordCheckLifetime. A final s was removed.
var about = []string{
	"id", "required", "policy", "policie", "changed", "change", "type", "age", "length", "lifetime", "expiry", "expiration",
	"expire", "expired", "expiresat", "expiresin", "changedat", "createdat", "updatedat", "setat", "usedat", "changedby", "createdby",
	"count", "date", "set", "verified", "algorithm", "alg", "generator", "attempt", "check", "checked", "enabled", "disabled", "allowed",
	"active", "method", "mode", "name", "state", "statu", "time", "version", "history", "format", "complexity", "strength",
	"score", "reason", "error", "invalid", "notfound", "wrong", "missing", "empty", "failed", "succeeded", "updated", "removed", "added",
	"sent", "requested", "day", "week", "hour", "minute", "second", "digit", "symbol", "uppercase", "lowercase", "minimum", "maximum",
	"setting", "config", "option", "rule", "requirement", "mapping", "attribute", "field", "label", "exist", "present", "hidden", "supported",
	"file", "path", "manager", "store",
}

// numberEnds is how many of wordEnds, from the first on, may have a number as value.
const numberEnds = 4

// endings returns the endings of secret names that fit the last letters of name. "code" and
// "key" alone are not among them: postalCode, publicKey.
func endings(name []byte) []string {
	if len(name) < 4 {
		return shortEnds
	}
	switch string(name[len(name)-4:]) {
	case "word", "sswd", "rase", "cret", "oken", "okie", "once", "enge", "csrf", "xsrf":
		return wordEnds
	case "code":
		return codeEnds
	case "hash":
		return hashEnds
	}
	switch string(name[len(name)-3:]) {
	case "key":
		return keyEnds
	case "pwd":
		return shortEnds
	}
	return nil
}

var (
	shortEnds = []string{"pwd"}
	wordEnds  = []string{"password", "passwd", "passphrase", "secret", "token", "cookie", "nonce", "challenge", "csrf", "xsrf"}
	codeEnds  = []string{"passcode", "devicecode", "usercode", "validationcode", "verificationcode", "recoverycode", "backupcode",
		"otpcode", "authcode", "authorizationcode", "initcode", "initializationcode", "invitecode", "resetcode", "passwordcode",
		"smscode", "emailcode", "phonecode", "accesscode"}
	hashEnds = []string{"encodedhash", "passwordhash", "secrethash", "codehash", "tokenhash", "pwhash"}
	keyEnds  = []string{"privatekey", "privkey", "sessionkey", "signingkey", "secretkey", "apikey", "accesskey", "encryptionkey", "masterkey", "sharedkey", "authkey"}
)

// HarmlessHeader reports whether the value of the HTTP header of this name is kept. It is a
// list of headers that tell where a request came from. Any other may be a credential.
func HarmlessHeader(name string) bool {
	name = strings.ToLower(name)
	name = strings.TrimPrefix(name, "grpcgateway-")
	switch name {
	case "accept", "accept-encoding", "accept-language", "accept-charset", "user-agent", "host", "origin", "referer",
		"content-type", "content-length", "connection", "dnt", "date", "via", "pragma", "cache-control", "te",
		"upgrade-insecure-requests", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
		"x-forwarded-port", "x-real-ip", "true-client-ip", "cf-connecting-ip", "cf-ipcountry", "cf-ray",
		"x-request-id", "traceparent", "x-grpc-web", ":authority", ":method", ":scheme":
		return true
	}
	return strings.HasPrefix(name, "sec-ch-") || strings.HasPrefix(name, "sec-fetch-")
}
