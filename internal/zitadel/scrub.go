package zitadel

import (
	"encoding/base64"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
)

const (
	// maxMessage and maxForeign limit, in runes, what is repeated of ZITADEL's text
	// and of the page of another server.
	maxMessage = 500
	maxForeign = 200

	redacted = "[REDACTED]"

	// maxSecrets is how many forms of secrets are remembered: of the current token,
	// of earlier ones, of assertions and client secrets.
	maxSecrets = 64

	// minSecret is the length in bytes from which on a text counts as a secret:
	// shorter ones are parts of words. minRun is the shortest part of a secret that
	// is hidden without the rest. anchor is the length that a search compares: each
	// run of minRun bytes contains a whole anchor of the secret.
	minSecret = 8
	minRun    = 16
	anchor    = 8
)

// credentialText finds credentials of others by their form: the words after Bearer and
// Basic, JWTs, the user part of a URL, form and JSON fields with tokens.
var credentialText = regexp.MustCompile(
	`(?i)\b(?:bearer|basic)\s+[\w.~+/=-]+` +
		`|\beyJ[\w-]{6,}(?:\.[\w-]*)*` +
		`|://[^/\s@"]+@` +
		`|\b(?:assertion|client_secret|(?:access|refresh|id)_token|password)["']?\s*[=:]\s*["']?[^\s"'&,}]+`)

// scrubber removes secrets from texts.
type scrubber struct {
	mu      sync.RWMutex
	secrets []string
}

func newScrubber() *scrubber { return new(scrubber) }

// hide adds a secret to those that are removed, in all forms in which a server may
// repeat it.
func (s *scrubber) hide(secret string) {
	if len(secret) < minSecret {
		return
	}
	shapes := []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), html.EscapeString(secret),
		base64.StdEncoding.EncodeToString([]byte(secret)),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, shape := range shapes {
		// Moved to the end: a secret in use is never the one that is forgotten.
		s.secrets = slices.DeleteFunc(s.secrets, func(old string) bool { return old == shape })
		s.secrets = append(s.secrets, shape)
	}
	if extra := len(s.secrets) - maxSecrets; extra > 0 {
		s.secrets = slices.Delete(s.secrets, 0, extra)
	}
}

// without returns text with every secret replaced.
func (s *scrubber) without(text string) string {
	s.mu.RLock()
	secrets := slices.Clone(s.secrets)
	s.mu.RUnlock()
	// The longest first: one secret may be the start of another.
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	for _, secret := range secrets {
		text = strings.ReplaceAll(text, secret, redacted)
	}
	for _, secret := range secrets {
		text = withoutRuns(text, secret)
	}
	return credentialText.ReplaceAllStringFunc(text, func(found string) string {
		switch {
		case strings.HasPrefix(found, "://"):
			return "://" + redacted + "@"
		case strings.HasPrefix(found, "eyJ"):
			return redacted
		}
		end := strings.IndexAny(found, " \t\r\n=:")
		return found[:end+1] + redacted
	})
}

// withoutRuns hides each part of secret, of minRun bytes or more, in text.
func withoutRuns(text, secret string) string {
	if len(text) < minRun {
		return text
	}
	for k := 0; k+anchor <= len(secret) && len(secret) >= minRun; k += anchor {
		for from := 0; ; {
			at := strings.Index(text[from:], secret[k:k+anchor])
			if at < 0 {
				break
			}
			at += from
			start, end := at, at+anchor
			for before := k; start > 0 && before > 0 && text[start-1] == secret[before-1]; before-- {
				start--
			}
			for after := k + anchor; end < len(text) && after < len(secret) && text[end] == secret[after]; after++ {
				end++
			}
			if from = at + 1; end-start >= minRun {
				text = text[:start] + redacted + text[end:]
				from = start + len(redacted)
			}
		}
	}
	return text
}

// Line returns text that others may have influenced in a form for people: one
// printable line of at most limit runes, without the secrets and without credentials
// of others.
func Line(text string, limit int, secrets ...string) string {
	s := newScrubber()
	for _, secret := range secrets {
		s.hide(secret)
	}
	return s.line(text, limit)
}

func (s *scrubber) clean(text string) bool { return s.without(text) == text }

// line returns text without secrets, as one printable line of at most limit runes.
// Secrets are removed before the cut, which could leave half of one.
func (s *scrubber) line(text string, limit int) string {
	text = s.without(strings.ToValidUTF8(text, "\uFFFD"))
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	if runes := []rune(text); len(runes) > limit {
		text = string(runes[:limit]) + "…"
	}
	return text
}

// markup matches the parts of an HTML page that are not visible.
var markup = regexp.MustCompile(`(?is)<(?:script|style)\b.*?</(?:script|style)>|<!--.*?-->|<[^>]*>`)

// pageText returns the visible text of an HTML page, or any other text.
func pageText(page string) string { return html.UnescapeString(markup.ReplaceAllString(page, " ")) }
