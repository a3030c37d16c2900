package zitadeltest

import (
	"slices"
	"strings"
	"time"
)

// Role is what the user of a token may do.
type Role int

const (
	Viewer   Role = iota // IAM_OWNER_VIEWER: may read events, targets, executions and scripts
	Owner                // IAM_OWNER: may write targets, executions and scripts too
	OrgOwner             // ORG_OWNER of the first organization: its scripts; else 7 / 403
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

// ofOrg are the methods that a role in the organization is enough for.
var ofOrg = []string{
	"GetMyOrg", "ListActions", "GetFlow",
	"CreateAction", "UpdateAction", "ReactivateAction", "DeactivateAction", "DeleteAction", "SetTriggerActions",
}

// writes are the methods that need more than the role of a viewer.
func writes(method string) bool {
	return slices.Contains(ofOrg[3:], method) || slices.Contains([]string{"CreateTarget", "UpdateTarget", "DeleteTarget", "SetExecution"}, method)
}

func (s *Server) authorize(c caller, method string) error {
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
	// The recordings name organizations that this server does not have, so only methods
	// that are about one look at it.
	org := ""
	if slices.Contains(ofOrg, method) {
		org = c.org
	}
	switch {
	case !known, !t.expires.IsZero() && !s.now().Before(t.expires):
		return errToken
	case org != "" && !s.orgs.exists(org):
		return errOrgUnknown
	case t.role == NoRole, t.role == OrgOwner && org != "" && org != s.orgs.First():
		return errNoMembership
	case t.role == OrgOwner && !slices.Contains(ofOrg, method), t.role == Viewer && writes(method):
		return errPermission
	}
	return nil
}
