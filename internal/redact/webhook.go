package redact

import "strings"

// webhook finds the secret in the path of a chat's webhook. Everybody who has the URL can post:
// https://hooks.slack.com/services/T0/B0/SECRET. s[i:v] is the "/" before a word of the path,
// also as \/ or %2F.
func webhook(s string, i, v int) (start, end int) {
	word := span(s, v, wordBytes)
	if s[v:min(len(s), v+3)] == "bot" { // Telegram
		if colon := span(s, v+3, digitBytes); colon > v+5 && colon < len(s) {
			if next := afterColon(s, colon); next > 0 {
				if end = span(s, next, tokenBytes); end-next >= 20 {
					return v + 3, end
				}
			}
		}
		return -1, -1
	}
	start = separator(s, word)
	if start < 0 {
		return -1, -1
	}
	end = pathEnd(s, start)
	switch s[v:word] {
	case "services", "workflows", "triggers":
		if host := s[:i]; !strings.HasSuffix(host, ".slack.com") && !strings.HasSuffix(host, ".slack-gov.com") {
			return -1, -1
		}
	case "webhooks": // Discord: the id is kept
		id := span(s, start, digitBytes)
		if id == start {
			if !hasLongSegment(s[start:end]) {
				return -1, -1
			}
			break
		}
		if start = separator(s, id); start < 0 || end-start < 16 {
			return -1, -1
		}
	case "webhookb2": // Teams
	case "webhook", "hooks", "hook", "integration", "key":
		if !hasLongSegment(s[start:end]) {
			return -1, -1
		}
	default:
		return -1, -1
	}
	return unlessKnown(s, start, end)
}

// webhookWord has the first letters of the words that [webhook] recognizes.
var webhookWord = *bytesOf("swtbhik")

// afterColon returns the index behind the ":" at s[i:], also as %3A, or -1.
func afterColon(s string, i int) int {
	switch {
	case s[i] == ':':
		return i + 1
	case s[i] == '%':
		return escaped(s, i, '3', 'a')
	}
	return -1
}

// separator returns the index behind the "/" at s[i:], also as \/ or %2F, or -1.
func separator(s string, i int) int {
	from := i
	for i < len(s) && s[i] == '\\' {
		i++
	}
	switch {
	case i == len(s):
	case s[i] == '/':
		return i + 1
	case s[i] == '%' && i == from:
		return escaped(s, i, '2', 'f')
	}
	return -1
}

// longestPath is longer than the path of any webhook. It keeps the search linear when many paths
// have the same end.
const longestPath = 1024

// pathEnd returns the end of the path at s[i:].
func pathEnd(s string, i int) int {
	s = s[:min(len(s), i+longestPath)]
	for i < len(s) {
		if next := separator(s, i); next > 0 {
			i = next
		} else if pathBytes[s[i]] {
			i++
		} else if s[i] == '%' && i+2 < len(s) && escaped(s, i, '3', 'f') < 0 && escaped(s, i, '2', '6') < 0 {
			i++
		} else {
			break
		}
	}
	return i
}

var pathBytes = setOf("-_.~@:=")

// hasLongSegment reports whether a segment of the path is long enough to be an id or a secret.
func hasLongSegment(path string) bool {
	run := 0
	for i := range len(path) {
		if c := path[i]; !wordBytes[c] && c != '-' {
			run = 0
			continue
		}
		if run++; run >= 20 || run >= 12 && opaque(path[i+1-run:min(len(path), i+8)]) {
			return true
		}
	}
	return false
}
