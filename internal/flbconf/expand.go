package flbconf

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// expanded is a value after its variables were replaced.
type expanded struct {
	value string
	unset []string // variables that nobody sets: Fluent Bit replaces them with nothing
	file  bool     // the value of a variable is in a file, and not known here
}

// expand replaces ${X} and ${X:-word} as flb_env_var_translate does: first by
// the configuration's own variables, then by the environment.
func (c *checker) expand(v string) expanded {
	var out strings.Builder
	var e expanded
	for {
		start := strings.Index(v, "${")
		if start < 0 {
			break
		}
		end := strings.IndexByte(v[start:], '}')
		if end < 0 {
			break
		}
		out.WriteString(v[:start])
		name, word, hasWord := strings.Cut(v[start+2:start+end], ":-")
		v = v[start+end+1:]
		value := c.env[name]
		if value == "" {
			value, _ = c.opts.LookupEnv(name)
		}
		switch {
		case c.fileEnv[name]:
			e.file = true
		case value != "":
			if secretName.MatchString(name) {
				c.keep(value, "${"+name+"}")
			}
			out.WriteString(value)
		case hasWord:
			out.WriteString(word)
		case name == "HOSTNAME": // Fluent Bit sets it by itself
			out.WriteString("localhost")
		default:
			e.unset = append(e.unset, name)
		}
	}
	out.WriteString(v)
	e.value = strings.TrimSpace(out.String())
	return e
}

// secretName is a variable whose value is likely secret.
var secretName = regexp.MustCompile(`(?i)token|secret|key|pass|pat|cred|auth`)

// keep notes a value that findings must not repeat.
func (c *checker) keep(secret, instead string) {
	const shortest = 8 // shorter ones would take words out of the findings
	if len(secret) < shortest {
		return
	}
	c.secrets[secret] = instead
	c.secrets[strings.ToLower(secret)] = instead // as in a host name
}

func (c *checker) scrub(text string) string {
	longestFirst := slices.SortedFunc(maps.Keys(c.secrets), func(a, b string) int { // one may be part of another
		return cmp.Or(len(b)-len(a), strings.Compare(a, b))
	})
	for _, secret := range longestFirst {
		text = strings.ReplaceAll(text, secret, c.secrets[secret])
	}
	return text
}
