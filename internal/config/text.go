package config

import (
	"regexp"
	"strings"
	"unicode"
)

// languageShape is a BCP 47 tag, as in "de" or "pt-BR".
var languageShape = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)

func languageTag(v string) error {
	if !languageShape.MatchString(v) {
		return &valueError{"is not a language tag such as en or pt-BR", ""}
	}
	return nil
}

// maxLabel bounds the instance label, which is part of every event id.
const maxLabel = 255

func labelError(v string) error {
	if strings.Contains(v, "/") {
		return &valueError{`contains a "/", which separates the parts of an event id`, "did you mean " + quote(strings.Trim(strings.ReplaceAll(v, "/", "-"), "-")) + "?"}
	}
	if len(v) > maxLabel {
		return &valueError{"is longer than 255 bytes", ""}
	}
	return nil
}

func noSpace(v string) error {
	if strings.ContainsFunc(v, unicode.IsSpace) {
		return &valueError{"contains white space", ""}
	}
	return nil
}

// tagShape checks a tag that is used as it is: nothing in it is replaced.
func tagShape(v string) error {
	if strings.Contains(v, "*") {
		return &valueError{`contains a "*", but a tag has no wildcards`, ""}
	}
	return noSpace(v)
}

// oneWord is the shape of a token.
func oneWord(v string) error {
	if strings.ContainsFunc(v, unicode.IsSpace) || strings.ContainsFunc(v, unicode.IsControl) {
		return &valueError{"contains white space or control characters", "write only the token, on one line"}
	}
	return nil
}

// oneLine is the shape of a shared key, in which Fluent Bit takes spaces too.
func oneLine(v string) error {
	if strings.ContainsFunc(v, unicode.IsControl) {
		return &valueError{"contains control characters", "write only the shared key, on one line"}
	}
	return nil
}

// sharedKey is the shape of a file that holds one.
func sharedKey(data []byte) error {
	if oneLine(strings.TrimSpace(string(data))) != nil {
		return &valueError{"contains more than one line, or control characters", "write only the shared key, on one line"}
	}
	return nil
}
