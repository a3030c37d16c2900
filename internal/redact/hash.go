package redact

import "strings"

// cryptHash finds $id$…, a modular crypt or PHC string; s[i] is the first "$".
func cryptHash(s string, i int) (start, end int) {
	if start, end = namedHash(s, i); start >= 0 {
		return start, end
	}
	id := span(s, i+1, idBytes)
	if id == i+1 || id-i > 24 || id == len(s) || s[id] != '$' {
		return -1, -1
	}
	end = span(s, id+1, hashBytes)
	switch name := s[i+1 : id]; {
	case name == "2a", name == "2b", name == "2x", name == "2y", strings.HasPrefix(name, "argon2"),
		strings.HasPrefix(name, "pbkdf2"), strings.HasPrefix(name, "scrypt"), name == "1", name == "5", name == "6", name == "apr1",
		end-id > 4 && (name == "7" || name == "S" || name == "P" || name == "H" || name == "y" || name == "gy"):
		return i, end
	case end-id > 16: // an unknown scheme; short text is a template or a price
		return i, end
	}
	return -1, -1
}

// namedHash finds a hash of Django or Werkzeug: pbkdf2_sha256$rounds$salt$hash,
// sha256$salt$hash. s[i] is the first "$".
func namedHash(s string, i int) (start, end int) {
	if i < 3 || !nameBytes[s[i-1]] {
		return -1, -1
	}
	scheme, start := name(s, i)
	scheme = strings.ToLower(scheme)
	for _, known := range [...]string{"pbkdf2", "sha", "md5", "bcrypt", "scrypt", "argon2", "hmac"} {
		if strings.HasPrefix(scheme, known) {
			end = span(s, i+1, hashBytes)
			if end-i > 10 && strings.IndexByte(s[i+1:end], '$') >= 0 {
				return start, end
			}
		}
	}
	return -1, -1
}

// ldapHash finds {SCHEME}base64 (RFC 2307); s[i] is the "{".
func ldapHash(s string, i int) (start, end int) {
	scheme := span(s, i+1, idBytes)
	if scheme == len(s) || s[scheme] != '}' || scheme-i > 24 {
		return -1, -1
	}
	name := strings.ToUpper(s[i+1 : scheme])
	for _, known := range [...]string{"SHA", "MD5", "CRYPT", "PBKDF2", "ARGON2"} {
		if strings.Contains(name, known) {
			if end = span(s, scheme+1, hashBytes); end-scheme > 8 {
				return i, end
			}
		}
	}
	return -1, -1
}
