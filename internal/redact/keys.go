package redact

import "strings"

// class is what the name of a key says about its value.
type class uint8

const (
	plainName   class = iota
	secretName        // a secret: strings and numbers go
	secretPlace       // the same for a payload's key, not for name=value in text
	secretEnd         // ends like a secret: strings go
	secretLeaf        // a secret unless it holds an object
	headerMap         // HTTP headers, where it holds an object
	pairValue         // "value", see secretPair
	stateName         // "state", see authRequest
)

// SecretKey reports whether the rule by key takes values under a key of this
// name for secrets, whatever the event type.
func SecretKey(name string) bool {
	switch classOf(name) {
	case secretName, secretPlace, secretEnd, secretLeaf:
		return true
	}
	return false
}

// longestName bounds what of a name is looked at: its end decides.
const longestName = 32

// classOf compares without case and separators, so that clientSecret,
// client_secret and Client-Secret are one.
func classOf(key string) class {
	var room [longestName]byte
	at := longestName
	for i := len(key) - 1; i >= 0 && at > 0; i-- {
		switch c := key[i]; c {
		case '_', '-', '.', ' ':
		default:
			if c-'A' < 26 {
				c |= 0x20
			}
			at--
			room[at] = c
		}
	}
	name := room[at:]
	if len(name) < 3 { // "pin" is the shortest
		return plainName
	}
	switch string(name) {
	case "code", "codes", "pin", "otp", "totp", "hash", "jwt", "jwe", "bearer",
		"authorization", "proxyauthorization", "assertion", "verifier", "codeverifier", "pkceverifier",
		"crypted", "relaystate", "samlresponse", "codechecked", "oauthstate", "authstate", "idtokenhint":
		return secretName
	case "endpoint", "callurl", "callbackurl", "script", "idparguments":
		return secretPlace
	case "credential", "credentials":
		return secretLeaf
	case "header", "headers":
		return headerMap
	case "value", "values":
		return pairValue
	case "state":
		return stateName
	}
	if name[len(name)-1] == 's' {
		name = name[:len(name)-1]
	}
	if string(name[max(0, len(name)-6):]) == "header" {
		return headerMap
	}
	for _, end := range endings(name) {
		if rest := len(name) - len(end); rest >= 0 && string(name[rest:]) == end {
			if rest == 0 {
				return secretName
			}
			return secretEnd
		}
	}
	return plainName
}

// endings returns the endings of secret names that name may have, by its last
// letters. A bare "code" or "key" is none: postalCode, publicKey.
func endings(name []byte) []string {
	if len(name) < 4 {
		return shortEnds
	}
	switch string(name[len(name)-4:]) {
	case "word", "sswd", "rase", "cret", "oken", "okie", "once", "enge":
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
	wordEnds  = []string{"password", "passwd", "passphrase", "secret", "token", "cookie", "nonce", "challenge"}
	codeEnds  = []string{"passcode", "devicecode", "usercode", "validationcode", "verificationcode", "recoverycode", "backupcode",
		"otpcode", "authcode", "authorizationcode", "initcode", "initializationcode", "invitecode", "resetcode", "passwordcode",
		"smscode", "emailcode", "phonecode", "accesscode"}
	hashEnds = []string{"encodedhash", "passwordhash", "secrethash", "codehash", "tokenhash", "pwhash"}
	keyEnds  = []string{"privatekey", "signingkey", "secretkey", "apikey", "accesskey", "encryptionkey", "masterkey", "sharedkey", "authkey"}
)

// harmlessHeader names the HTTP headers that stay: they say where a request
// came from, and never who may make it. Any other may be a credential.
func harmlessHeader(name string) bool {
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
