package bounded

// Deeper reports whether JSON is nested deeper than most levels. Decoders that use recursion
// need a limit. Text that is no JSON gives any answer.
func Deeper[T string | []byte](json T, most int) bool {
	if len(json) <= most {
		return false
	}
	depth, quoted := 0, false
	for i := 0; i < len(json); i++ {
		switch c := json[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
			if c == '\\' {
				i++
			}
		case c == '{' || c == '[':
			if depth++; depth > most {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
