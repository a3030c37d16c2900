package scripts

import "regexp"

// leaksByText is [leaks] for a script that cannot be parsed. It finds less and may be wrong.
func leaksByText(source string) string {
	if dumpText.MatchString(source) && requestText.MatchString(source) {
		return leaksRequest
	}
	return ""
}

const (
	leaksRequest = "the whole request, with the password in its form and the session cookies in its headers"
	leaksSecret  = "a password, a cookie or a token"
)

var (
	dumpText    = regexp.MustCompile(`stringify|%[joO]`)
	requestText = regexp.MustCompile(`httpRequest|postForm`)
)
