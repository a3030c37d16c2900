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
	// maxMessage and maxForeign bound, in runes, what is repeated of ZITADEL's
	// words and of the page of something else.
	maxMessage = 500
	maxForeign = 200

	redacted = "[REDACTED]"

	// maxSecrets is how many shapes of secrets are remembered: of the token in
	// use, of those before it, of assertions and client secrets.
	maxSecrets = 64

	// minSecret is the shortest text that is taken for a secret, in bytes:
	// shorter ones are parts of words. minRun is the shortest part of a secret
	// that is hidden without the rest, and anchor what a search for one goes by:
	// every run of minRun holds a whole anchor of the secret.
	minSecret = 8
	minRun    = 16
	anchor    = 8
)

// credentialText finds credentials by shape, for those that are not ours: the
// words after Bearer and Basic, JWTs, the user part of a URL, form and JSON
// fields that carry tokens.
var credentialText = regexp.MustCompile(
	`(?i)\b(?:bearer|basic)\s+[\w.~+/=-]+` +
		`|\beyJ[\w-]{6,}(?:\.[\w-]*)*` +
		`|://[^/\s@"]+@` +
		`|\b(?:assertion|client_secret|(?:access|refresh|id)_token|password)["']?\s*[=:]\s*["']?[^\s"'&,}]+`)

// scrubber takes secrets out of texts.
type scrubber struct {
	mu      sync.RWMutex
	secrets []string
}

func newScrubber() *scrubber { return new(scrubber) }

// hide makes secret, in the shapes in which another side may repeat it, one of
// those that no text shows any more.
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
		// Moved to the young end: a secret in use is never the one forgotten.
		s.secrets = slices.DeleteFunc(s.secrets, func(old string) bool { return old == shape })
		s.secrets = append(s.secrets, shape)
	}
	if extra := len(s.secrets) - maxSecrets; extra > 0 {
		s.secrets = slices.Delete(s.secrets, 0, extra)
	}
}

// without is text with every secret replaced.
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

// Line is text, which others may have a part in, for a person to read: one
// printable line of at most limit runes, without the secrets and without
// credentials of others.
func Line(text string, limit int, secrets ...string) string {
	s := newScrubber()
	for _, secret := range secrets {
		s.hide(secret)
	}
	return s.line(text, limit)
}

func (s *scrubber) clean(text string) bool { return s.without(text) == text }

// line is text without secrets, as one printable line of at most limit runes.
// Secrets go first: a cut could leave half of one, which no search finds.
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

// markup is what a reader of an HTML page does not see.
var markup = regexp.MustCompile(`(?is)<(?:script|style)\b.*?</(?:script|style)>|<!--.*?-->|<[^>]*>`)

// pageText is the visible text of an HTML page, or of any other text.
func pageText(page string) string { return html.UnescapeString(markup.ReplaceAllString(page, " ")) }
