package zitadeltest

import (
	"strings"
	"time"
)

// Role is what the user of a token may do.
type Role int

const (
	Viewer   Role = iota // IAM_OWNER_VIEWER: may read events, targets and executions
	Owner                // IAM_OWNER: may write targets and executions too
	OrgOwner             // ORG_OWNER: 7 / 403
	NoRole               // no role at all: 5 / 404
)

// token is a personal or an issued access token.
type token struct {
	role    Role
	expires time.Time // zero: never
}

// Token is a personal access token of a viewer that never expires.
func (s *Server) Token() string { return s.pat }

// AddToken makes a token known; a zero expires is never.
func (s *Server) AddToken(value string, role Role, expires time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[value] = token{role: role, expires: expires}
}

// RemoveToken removes a token. Its requests get 16 / 401, as those of a locked or
// deactivated user do.
func (s *Server) RemoveToken(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, value)
}

func (s *Server) authorize(c caller, writes bool) error {
	if !c.authorized {
		return errNoToken
	}
	value, ok := strings.CutPrefix(c.authorization, "Bearer ")
	if !ok || value == "" {
		return errAuthHeader
	}
	s.mu.Lock()
	t, known := s.tokens[value]
	s.mu.Unlock()
	switch {
	case !known, !t.expires.IsZero() && !s.now().Before(t.expires):
		return errToken
	case t.role == NoRole:
		return errNoMembership
	case t.role == OrgOwner, writes && t.role != Owner:
		return errPermission
	}
	return nil
}
