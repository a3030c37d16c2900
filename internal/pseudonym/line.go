package pseudonym

import (
	"slices"
	"strings"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/redact"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// Line replaces the personal values of a log line's record in place. A text whose author
// is not known (a message of a script, an error of one, a raw line) may hold any value:
// it becomes one token. It is called once for each record.
func (t *Tokens) Line(r *parser.Record) {
	known := t.login(&r.Login)
	r.Login.Error = t.Text(r.Login.Error, known...)
	r.Login.RequestURL = t.URL(r.Login.RequestURL)
	t.unverified(&r.Unverified)
	r.Message = t.Token(Data, r.Message)
	r.Error = t.Token(Data, r.Error)
	r.Raw = t.Token(Data, r.Raw)
	r.Served.Path = t.URL(r.Served.Path)
	r.Access.RESTPath = t.URL(r.Access.RESTPath)
	r.Access.URL = t.URL(r.Access.URL)
	r.Access.ForwardedFor = t.Addresses(r.Access.ForwardedFor)
	r.Access.UserAgent = t.Token(Agent, r.Access.UserAgent)
}

// login replaces the fields that name a person, and returns what they held.
func (t *Tokens) login(l *parser.Login) (known []Value) {
	for _, f := range [...]struct {
		kind  Kind
		field *string
	}{{User, &l.UserName}, {User, &l.LoginName}, {IP, &l.RemoteAddr}, {Agent, &l.UserAgent}, {Agent, &l.AgentID}} {
		if *f.field == "" {
			continue
		}
		known = append(known, Value{f.kind, *f.field})
		*f.field = t.Token(f.kind, *f.field)
	}
	l.ForwardedFor = t.Addresses(l.ForwardedFor)
	return known
}

// unverified replaces the fields of a login that an attacker may have written: each may
// hold what belongs into another one. What has the form of its field stays.
func (t *Tokens) unverified(l *parser.Login) {
	t.login(l)
	for _, f := range [...]*string{&l.AuthRequestID, &l.UserID, &l.ResourceOwner, &l.ApplicationID, &l.IDPID} {
		if !isID(strings.TrimPrefix(*f, "V2_")) {
			*f = t.Token(Data, *f)
		}
	}
	for _, f := range [...]*string{&l.AuthTime, &l.ChangeDate} {
		if _, err := time.Parse(time.RFC3339Nano, *f); err != nil {
			*f = t.Token(Data, *f)
		}
	}
	if !slices.Contains([]string{"success", "failure", "unknown"}, l.Outcome) {
		l.Outcome = t.Token(Data, l.Outcome)
	}
	for _, f := range [...]*string{&l.Error, &l.Method, &l.RequestMethod, &l.RequestURL, &l.RequestHost, &l.CutFields} {
		*f = t.Token(Data, *f)
	}
}

// Addresses replaces each address of a list such as X-Forwarded-For.
func (t *Tokens) Addresses(list string) string {
	if list == "" || list == redact.Redacted {
		return list
	}
	parts := strings.Split(list, ",")
	for i, p := range parts {
		if p = strings.TrimSpace(p); p != "…" { // where a script cut the list
			p = t.Token(IP, p)
		}
		parts[i] = p
	}
	return strings.Join(parts, ", ")
}

// URL replaces the query of a path, and the parts of the path that are an e-mail address
// or a login name with a domain.
func (t *Tokens) URL(s string) string {
	path, query, has := strings.Cut(s, "?")
	if strings.ContainsAny(path, "@%") {
		parts := strings.Split(path, "/")
		for i, p := range parts {
			if strings.ContainsAny(p, "@%") {
				parts[i] = t.Token(Data, p)
			}
		}
		path = strings.Join(parts, "/")
	}
	if !has || query == "" {
		return path
	}
	return path + "?" + t.Token(Data, query)
}

// Text replaces the known values in a text that ZITADEL wrote, and every word with an @.
func (t *Tokens) Text(s string, known ...Value) string {
	if s == "" || s == redact.Redacted {
		return s
	}
	for _, v := range known {
		if len(v.Text) >= minKnown {
			s = replaceFold(s, v.Text, t.Token(v.Kind, v.Text))
		}
	}
	if !strings.Contains(s, "@") {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		i := strings.IndexAny(s, wordEnds)
		if i < 0 {
			i = len(s)
		}
		if word := s[:i]; strings.Contains(word, "@") {
			b.WriteString(t.Token(User, word))
		} else {
			b.WriteString(word)
		}
		if i < len(s) {
			b.WriteByte(s[i])
			i++
		}
		s = s[i:]
	}
	return b.String()
}

// wordEnds end a word in a text of ZITADEL.
const wordEnds = " \t\r\n\"'<>()[]{},;=:"

// replaceFold replaces old in s without regard to the case of ASCII letters.
func replaceFold(s, old, by string) string {
	var b strings.Builder
	for {
		i := indexFold(s, old)
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		b.WriteString(by)
		s = s[i+len(old):]
	}
}

func indexFold(s, sub string) int {
	for i := 0; i+len(sub) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(sub)], sub) {
			return i
		}
	}
	return -1
}
