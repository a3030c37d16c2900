package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"strconv"
	"strings"
	"time"
)

const (
	// SignatureHeader has "t=UNIX,v1=HEX", more than one v1 while ZITADEL changes the key.
	SignatureHeader = "ZITADEL-Signature"

	// maxSignatureHeader holds ten signatures; ZITADEL writes one, or two.
	maxSignatureHeader = 1024
	maxSignatures      = 8
	// maxTime is as many digits as the year 9999 has.
	maxTime = 12
)

// signature is the content of the header.
type signature struct {
	t    int64
	text string // t as it was signed
	macs [][sha256.Size]byte
}

// parseSignature is strict, so that one signature has one form: t once, digits without
// leading zeros, lower-case hex of the right length. Parts with other names are
// ignored, for later versions.
func parseSignature(header string) (s signature, ok bool) {
	if len(header) > maxSignatureHeader {
		return s, false
	}
	for part := range strings.SplitSeq(header, ",") {
		name, value, ok := strings.Cut(part, "=")
		if !ok || name == "" || strings.ContainsAny(part, " \t") {
			return s, false
		}
		switch name {
		case "t":
			if s.text != "" || !canonicalTime(value) {
				return s, false
			}
			s.text = value
			s.t, _ = strconv.ParseInt(value, 10, 64) // few digits
		case "v1":
			var mac [sha256.Size]byte
			if len(s.macs) == maxSignatures || len(value) != hex.EncodedLen(len(mac)) || strings.ToLower(value) != value {
				return s, false
			}
			if _, err := hex.Decode(mac[:], []byte(value)); err != nil {
				return s, false
			}
			s.macs = append(s.macs, mac)
		}
	}
	return s, s.text != "" && len(s.macs) > 0
}

func canonicalTime(s string) bool {
	if s == "" || len(s) > maxTime || s[0] == '0' {
		return false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// within reports whether the time differs from now by at most the tolerance.
func (s *signature) within(now time.Time, tolerance time.Duration) bool {
	return now.Sub(time.Unix(s.t, 0)).Abs() <= tolerance
}

// by reports whether one of the keys made one of the signatures. It always compares
// all of them, so that the time does not show which one fits.
func (s *signature) by(keys [][]byte, body []byte) bool {
	good := 0
	for _, key := range keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(s.text))
		mac.Write([]byte{'.'})
		mac.Write(body)
		good |= s.has(mac)
	}
	return good == 1
}

// has returns 1 if one of the MACs is this one, and 0 otherwise, in constant time.
func (s *signature) has(mac hash.Hash) (good int) {
	var sum [sha256.Size]byte
	mac.Sum(sum[:0])
	for i := range s.macs {
		good |= subtle.ConstantTimeCompare(sum[:], s.macs[i][:])
	}
	return good
}

// id identifies a signed request, independent of the key and the target.
type id [16]byte

func (s *signature) id(body []byte) (out id) {
	h := sha256.New()
	h.Write([]byte(s.text))
	h.Write([]byte{'.'})
	h.Write(body)
	var sum [sha256.Size]byte
	copy(out[:], h.Sum(sum[:0]))
	return out
}

// secretFits compares a V1 secret with the valid ones, in a time that does not depend
// on their lengths.
func secretFits(secrets [][]byte, given string) bool {
	sum := sha256.Sum256([]byte(given))
	good := 0
	for _, s := range secrets {
		want := sha256.Sum256(s)
		good |= subtle.ConstantTimeCompare(sum[:], want[:])
	}
	return good == 1
}
