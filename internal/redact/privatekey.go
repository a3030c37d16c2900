package redact

import (
	"bytes"
	"strings"
)

// privateKey finds a private key in PEM; s[i] is the first dash.
func privateKey(s string, i int) (start, end int) {
	const begin, finish = "-----BEGIN ", "-----END "
	if !strings.HasPrefix(s[i:], begin) {
		return -1, -1
	}
	// "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY" and the like.
	label := s[i+len(begin) : min(len(s), i+len(begin)+40)]
	if !strings.Contains(label, "PRIVATE KEY") {
		return -1, -1
	}
	end = len(s) // if the key was cut
	if at := strings.Index(s[i+len(begin):], finish); at >= 0 {
		rest := i + len(begin) + at + len(finish)
		if dashes := strings.Index(s[rest:], "-----"); dashes >= 0 {
			end = rest + dashes + 5
		}
	}
	return i, end
}

// derKey finds a private key in base64 without PEM's dashes, by the first bytes of its ASN.1
// form.
func derKey(s string, start int) (int, int) {
	if !wordStart(s, start) {
		return -1, -1
	}
	// The end is searched last, so that many beginnings with the same end stay cheap.
	if len(s)-start < 48 || !isPrivateDER(decode64(s[start:start+40])) {
		return -1, -1
	}
	end := span(s, start, derBytes)
	if end-start < 48 {
		return -1, -1
	}
	for end > start && (s[end-1] == '\r' || s[end-1] == '\n') {
		end--
	}
	return start, end
}

// isPrivateDER checks the start of a SEQUENCE. A private key starts with a small version: 0 in
// PKCS #1 and #8, 1 in SEC 1 and for Ed25519, 3 in PKCS #12. An encrypted one (PKCS #8) starts
// with an algorithm of PKCS #5. Certificates and public keys start differently.
func isPrivateDER(b []byte) bool {
	b, ok := sequence(b)
	if !ok {
		return false
	}
	if bytes.HasPrefix(b, []byte{2, 1}) && len(b) > 3 && b[2] <= 3 {
		switch b[3] { // an integer, an algorithm, or the key follows
		case 0x02, 0x30, 0x04:
			return true
		}
		return false
	}
	algorithm, ok := sequence(b)
	return ok && bytes.HasPrefix(algorithm, []byte{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5})
}

// sequence returns the content of the ASN.1 SEQUENCE at the start of b.
func sequence(b []byte) ([]byte, bool) {
	if len(b) < 6 || b[0] != 0x30 {
		return nil, false
	}
	skip := 2
	if b[1] >= 0x80 {
		skip += int(b[1] & 0x7f)
	}
	if skip > 5 {
		return nil, false
	}
	return b[skip:], true
}
