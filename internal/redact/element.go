package redact

import "strings"

// longestElement limits the search for the end of an element. If there is no end, the text
// up to the next tag is the secret.
const longestElement = 4096

// mostTags limits how many ends of other elements are skipped. After that, the text up to
// there is the secret.
const mostTags = 64

// elementText finds the text of <name>text</name>; s[i] is the ">" before it.
func elementText(s string, i int) (start, end int) {
	const longest = 200 // tag with attributes
	open := strings.LastIndexByte(s[max(0, i-longest):i], '<')
	if open < 0 {
		return -1, -1
	}
	tag := s[max(0, i-longest)+open+1 : i]
	if tag == "" || tag[0] == '/' || tag[len(tag)-1] == '/' {
		return -1, -1
	}
	tag, _, _ = strings.Cut(tag, " ")
	key := tag[strings.LastIndexByte(tag, ':')+1:]           // without the namespace
	if !NamesSecret(key) || strings.EqualFold(key, "code") { // HTML's <code>
		return -1, -1
	}
	start = i + 1
	within := s[:min(len(s), start+longestElement)]
	end = start
	for tags := 0; ; end += 2 {
		if tags++; tags > mostTags {
			return start, end
		}
		n := strings.Index(within[min(end, len(within)):], "</")
		if n < 0 {
			break // no end: the text was cut, or this is a placeholder
		}
		end += n
		if rest := s[end+2:]; len(rest) >= len(tag) && strings.EqualFold(rest[:len(tag)], tag) {
			return unlessKnown(s, start, end)
		}
	}
	if n := strings.IndexByte(s[start:], '<'); n >= 0 {
		return unlessKnown(s, start, valueEnd(s[:start+n], start))
	}
	return unlessKnown(s, start, valueEnd(s, start))
}
