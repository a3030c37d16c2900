package enrich

import "strings"

// kind says what an id is the id of. Kinds are part of the file format: add at the end.
type kind uint8

const (
	kindUser kind = iota + 1
	kindOrg
	kindPolicy // domain policy: of an organisation by its id, of the instance by ""
	kindProject
	kindApp
	kindClient // OIDC client id
	kindEntity // SAML entity id
	kindIDP
	kindGrant
	kindProjectGrant
	kindToken // personal access tokens and keys
	kindGroup
	kindAction
	kindTarget
	// The kinds below come and go with every login.
	kindSession
	kindOIDCSession
	kindSAMLSession
	kindAuthRequest
	kindSAMLRequest
	kindDeviceAuth
	kindIntent
	kindAgent // user agent id of Login V1
	kindRefresh
	kinds
)

// field is one value of an entry.
type field uint8

const (
	fName field = iota
	fEmail
	fDisplay
	fKind
	fDomain
	fOrg
	fProject
	fApp
	fClient
	fIDP
	fUser
	fSession
	fIP
	fAgent
	fFingerprint
	fRoles // packed, see packList
	fields
)

const maxGroups = 4

// layouts lists the groups of each kind. The fields of a group are taught together,
// always by events of the same aggregate.
var layouts = [kinds][][]field{
	kindUser:         {{fKind, fOrg}, {fName}, {fEmail}, {fDisplay}},
	kindOrg:          {{fName}, {fDomain}},
	kindPolicy:       {{fKind}},
	kindProject:      {{fOrg}, {fName}},
	kindApp:          {{fOrg, fProject}, {fName}, {fClient}},
	kindClient:       {{fApp}},
	kindEntity:       {{fApp}},
	kindIDP:          {{fOrg, fKind}, {fName}},
	kindGrant:        {{fOrg, fUser, fProject}, {fRoles}},
	kindProjectGrant: {{fOrg, fProject}, {fRoles}},
	kindToken:        {{fKind, fUser, fApp}},
	kindGroup:        {{fName}},
	kindAction:       {{fName}},
	kindTarget:       {{fName}},
	kindSession:      {{fUser, fOrg}, {fIP, fAgent, fFingerprint}},
	kindOIDCSession:  {{fUser, fOrg, fClient, fSession, fIP, fAgent, fFingerprint}},
	kindSAMLSession:  {{fUser, fOrg, fClient, fSession, fIP, fAgent, fFingerprint}},
	kindAuthRequest:  {{fClient}, {fUser, fSession}},
	kindSAMLRequest:  {{fClient, fApp}, {fUser, fSession}},
	kindDeviceAuth:   {{fClient}, {fUser, fOrg, fSession, fIP, fAgent, fFingerprint}},
	kindIntent:       {{fIDP}, {fUser}},
	kindAgent:        {{fIP, fAgent}},
	kindRefresh:      {{fUser, fSession}},
}

// reference reports whether f holds an id. An id that is too long is left out, because a
// part of it could be the id of something else.
func (f field) reference() bool {
	switch f {
	case fOrg, fProject, fApp, fClient, fIDP, fUser, fSession, fFingerprint:
		return true
	}
	return false
}

// entry is what is known of one id. The same form is used for what one event teaches.
type entry struct {
	kind  kind
	id    string
	order [maxGroups]uint64 // of the event that taught the group; 0: nothing did
	gone  uint64            // order of the removal; 0: not removed
	// goneAt is when it was removed, in microseconds; forgotten is set once the values
	// were dropped.
	goneAt    int64
	forgotten bool
	f         [fields]string
}

func (e *entry) groups() [][]field { return layouts[e.kind] }

func (e *entry) clear(group int) {
	for _, f := range layouts[e.kind][group] {
		e.f[f] = ""
	}
}

// merge takes the groups of n that are newer, and reports whether anything changed. The
// result does not depend on the order in which entries are merged.
func (e *entry) merge(n *entry) (changed bool) {
	if n.gone > e.gone {
		e.gone, e.goneAt, e.forgotten = n.gone, n.goneAt, n.forgotten
		changed = true
	} else if n.gone == e.gone && n.forgotten && !e.forgotten {
		e.forgotten = true
		changed = true
	}
	for g, fs := range e.groups() {
		if n.order[g] <= e.order[g] || e.forgotten && n.order[g] <= e.gone {
			continue
		}
		e.order[g] = n.order[g]
		for _, f := range fs {
			if e.f[f] != n.f[f] {
				e.f[f] = strings.Clone(n.f[f]) // an event's texts may be parts of something larger
			}
		}
		changed = true
	}
	if changed {
		e.settle()
	}
	return changed
}

// settle drops the values that a removal has ended.
func (e *entry) settle() {
	if e.gone == 0 {
		return
	}
	alive := false
	for g := range e.groups() {
		alive = alive || e.order[g] > e.gone
	}
	if !alive && !e.forgotten {
		return // the values stay for a while
	}
	for g := range e.groups() {
		if e.order[g] <= e.gone {
			e.order[g] = e.gone
			e.clear(g)
		}
	}
	if alive { // the id was used again after the removal
		e.gone, e.goneAt, e.forgotten = 0, 0, false
	}
}

// hidden reports whether lookups do not return e: it is forgotten, or all that is known is
// its removal.
func (e *entry) hidden() bool { return e.forgotten || e.order == [maxGroups]uint64{} }

// forget drops the values of something removed.
func (e *entry) forget() {
	e.forgotten = true
	e.settle()
}
