package pseudonym

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"hash"
	"net/netip"
	"strings"
	"sync"

	"github.com/zitadel-siem/zitadel-siem/internal/redact"
)

// Kind says what a token stands for. It is the token's prefix.
type Kind string

// The kinds.
const (
	User  Kind = "user-"  // user name, login name, id at another provider
	Mail  Kind = "mail-"  // e-mail address
	Phone Kind = "phone-" // phone number
	IP    Kind = "ip-"    // address of a client
	Name  Kind = "name-"  // display name, first name, last name
	Agent Kind = "agent-" // user agent: its text, its id
	Data  Kind = "data-"  // anything else, such as a postal address
)

// tokenLen is the length of a token without its prefix: 130 bits.
const tokenLen = 26

// A token that was made is kept, since an active user is in many records. Two generations
// of a map hold at most twice these; longer values are not kept.
const (
	cached      = 8192
	cachedBytes = 256
)

var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Tokens makes tokens with one key. It is safe for concurrent use.
type Tokens struct {
	mu    sync.Mutex
	mac   hash.Hash
	sum   []byte
	young map[cacheKey]string
	old   map[cacheKey]string
}

type cacheKey struct {
	kind  Kind
	value string
}

// New returns the maker of tokens for a key of at least [MinKey] bytes, see [ReadKey].
func New(key []byte) *Tokens {
	return &Tokens{mac: hmac.New(sha256.New, key), young: map[cacheKey]string{}}
}

// Token returns the token of a value. An empty value has none, and what was redacted says
// nothing about a person: both are returned as they are.
func (t *Tokens) Token(k Kind, value string) string {
	if value == "" || value == redact.Redacted {
		return value
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	key := cacheKey{k, value}
	if token, ok := t.young[key]; ok {
		return token
	}
	token, ok := t.old[key]
	if !ok {
		token = t.make(k, value)
	}
	if len(value) <= cachedBytes {
		if len(t.young) >= cached {
			t.old, t.young = t.young, make(map[cacheKey]string, cached)
		}
		key.value = strings.Clone(value) // not a part of a whole record
		t.young[key] = token
	}
	return token
}

func (t *Tokens) make(k Kind, value string) string {
	t.mac.Reset()
	t.mac.Write([]byte(normal(k, value)))
	t.sum = t.mac.Sum(t.sum[:0])
	var text [52]byte
	encoding.Encode(text[:], t.sum)
	return string(k) + string(text[:tokenLen])
}

// normal returns the form that all spellings of a value share.
func normal(k Kind, value string) string {
	value = strings.TrimSpace(value)
	switch k {
	case User, Mail, Name:
		return strings.ToLower(value)
	case Phone:
		return normalPhone(value)
	case IP:
		return normalIP(value)
	}
	return value
}

// normalPhone keeps digits, and "+" for an international prefix.
func normalPhone(s string) string {
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c == '+' && len(b) == 0:
			b = append(b, c)
		case strings.IndexByte(" -./()", c) >= 0:
		default:
			return strings.ToLower(s) // no phone number
		}
	}
	if rest, ok := strings.CutPrefix(string(b), "00"); ok {
		return "+" + rest
	}
	return string(b)
}

// normalIP returns the canonical form of an address, which may have a port, brackets or
// a zone.
func normalIP(s string) string {
	if withPort, err := netip.ParseAddrPort(s); err == nil {
		return withPort.Addr().Unmap().WithZone("").String()
	}
	if addr, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return addr.Unmap().WithZone("").String()
	}
	return strings.ToLower(s)
}
