package enrich

import (
	"slices"
	"sync"
)

// table says which event teaches what: event types, what the id is of, the values.
//
//	{a,b}       each of them
//	user        the id is the aggregate's
//	app#appId   the id is in the payload; ^V1_ after it: only one that begins so
//	policy#     the only one of the instance
//	~           ordered by time: events of several aggregates teach it
//	name=a.b    the value of the payload's key; absent is empty
//	name?=key   the same; absent is unchanged
//	kind:word   the word itself
//	org=@owner  the resource owner; project=@ the aggregate's id; roles=[roleKeys] a list
//	removed     it exists no more
//
// The first part is about things that last. The option learn reads their events from the
// beginning of the log. The second part is about logins, which are long over in old events.
const table = `
user{.human,}.added,user{.human,}.selfregistered   user   kind:human org=@owner name=userName email=email display=displayName
user.machine.added                                 user   kind:machine org=@owner name=userName display=name
user.username.changed,user.domain.claimed          user   name=userName
user{.human,}.email.changed                        user   email=email
user{.human,}.profile.changed                      user   display?=displayName
user.machine.changed                               user   display?=name
user.removed                                       user   removed

org.{added,changed}                                org    name=name
org.domain.primary.set                             org    domain=domain
org.removed                                        org    removed
instance.policy.domain.added                       policy#  kind=userLoginMustBeDomain
instance.policy.domain.changed                     policy#  kind?=userLoginMustBeDomain
org.policy.domain.added                            policy kind=userLoginMustBeDomain
org.policy.domain.changed                          policy kind?=userLoginMustBeDomain
org.policy.domain.removed                          policy removed

project.added                                      project  org=@owner name=name
project.changed                                    project  name?=name
project.removed                                    project  removed
project.application.added                          app#appId  org=@owner project=@ name=name
project.application.changed                        app#appId  name?=name
project.application.config.{oidc,api}.added        app#appId  client=clientId
project.application.config.{oidc,api}.added        client#clientId  app=appId
project.application.config.saml.added              app#appId  client=entityId
project.application.config.saml.changed            app#appId  client?=entityId
project.application.config.saml.{added,changed}    entity#entityId~  app=appId
project.application.removed                        app#appId  removed

user.pat.added                                     token#tokenId  kind:pat user=@ app:
user.machine.key.added                             token#keyId  kind:key user=@ app:
project.application.oidc.key.added                 token#keyId  kind:app_key user: app=applicationId
user.pat.removed                                   token#tokenId  removed
user.machine.key.removed                           token#keyId  removed
project.application.oidc.key.removed               token#keyId  removed

user.grant.added                                   grant  org=@owner user=userId project=projectId roles=[roleKeys]
user.grant{,.cascade}.changed                      grant  roles=[roleKeys]
user.grant{,.cascade}.removed                      grant  removed
project.grant.added                                project_grant#grantId  org=grantedOrgId project=@ roles=[roleKeys]
project.grant{,.cascade}.changed                   project_grant#grantId  roles=[roleKeys]
project.grant.removed                              project_grant#grantId  removed

{iam,org}.idp.config.added                         idp#idpConfigId  org=@owner kind: name=name
{iam,org}.idp.config.changed                       idp#idpConfigId  name?=name
{iam,org}.idp.config.removed                       idp#idpConfigId  removed
{instance,org}.idp.removed                         idp#id  removed
{group,action,target}.added                        $0     name=name
{group,action,target}.changed                      $0     name?=name
{group,action,target}.removed                      $0     removed
----
session.added                                      session  ip=user_agent.ip agent=user_agent.description fingerprint=user_agent.fingerprint_id
session.user.checked                               session  user=userID org=userResourceOwner
session.terminated                                 session  removed
oidc_session.added                                 oidc_session  user=userID org=userResourceOwner client=clientID session=sessionID ip=userAgent.ip agent=userAgent.description fingerprint=userAgent.fingerprint_id
oidc_session.added                                 session#sessionID^V1_~  user=userID org=userResourceOwner ip=userAgent.ip agent=userAgent.description fingerprint=userAgent.fingerprint_id
saml_session.added                                 saml_session  user=userID org=userResourceOwner client=entityID session=sessionID ip=userAgent.ip agent=userAgent.description fingerprint=userAgent.fingerprint_id
auth_request.added                                 auth_request  client=client_id
saml_request.added                                 saml_request  client=issuer app=application_id
auth_request.session.linked                        auth_request  user=user_id session=session_id
saml_request.session.linked                        saml_request  user=user_id session=session_id
device.authorization.added                         device_auth  client=ClientID
device.authorization.approved                      device_auth  user=UserID org=UserOrgID session=SessionID ip=UserAgent.ip agent=UserAgent.description fingerprint=UserAgent.fingerprint_id
idpintent.started                                  idpintent  idp=idpId
idpintent{,.saml,.ldap}.succeeded                  idpintent  user=userId
user.human.refresh.token.added                     refresh#tokenId  user=@ session:
user.human.refresh.token.removed                   refresh#tokenId  removed
oidc_session.refresh_token.{added,renewed}         refresh#id  user: session=@
user{.human,}.password.check.{succeeded,failed}    agent#userAgentID~  ip=remoteIP agent=userAgent
user{.human,}.mfa.otp.check.{succeeded,failed}     agent#userAgentID~  ip=remoteIP agent=userAgent
user.human.mfa.{otp.sms,otp.email,u2f.token,recoverycode}.check.{succeeded,failed}  agent#userAgentID~  ip=remoteIP agent=userAgent
user.human.passwordless.token.check.{succeeded,failed}  agent#userAgentID~  ip=remoteIP agent=userAgent
user.human.externallogin.check.succeeded           agent#userAgentID~  ip=remoteIP agent=userAgent
`

// providers are the identity providers of the newer events, whose type names them.
const providers = "apple azure github github_enterprise gitlab gitlab_self_hosted google jwt ldap ldap.v2 oauth oidc oidc.migrated.azure oidc.migrated.google saml zitadel"

var kindNames = map[string]kind{
	"user": kindUser, "org": kindOrg, "policy": kindPolicy, "project": kindProject, "app": kindApp, "client": kindClient,
	"entity": kindEntity, "idp": kindIDP, "grant": kindGrant, "project_grant": kindProjectGrant, "token": kindToken,
	"group": kindGroup, "action": kindAction, "target": kindTarget, "session": kindSession, "oidc_session": kindOIDCSession,
	"saml_session": kindSAMLSession, "auth_request": kindAuthRequest, "saml_request": kindSAMLRequest,
	"device_auth": kindDeviceAuth, "idpintent": kindIntent, "agent": kindAgent, "refresh": kindRefresh,
}

var fieldNames = map[string]field{
	"name": fName, "email": fEmail, "display": fDisplay, "kind": fKind, "domain": fDomain, "org": fOrg, "project": fProject,
	"app": fApp, "client": fClient, "idp": fIDP, "user": fUser, "session": fSession, "ip": fIP, "agent": fAgent,
	"fingerprint": fFingerprint, "roles": fRoles,
}

// rule is a line of the table for one type.
type rule struct {
	kind     kind
	id       []string // path in the payload; nil: the aggregate's id
	idPrefix string
	anyID    bool // the one of the instance
	byTime   bool
	removed  bool
	payload  bool // teaches nothing without one
	values   []value
}

type source uint8

const (
	fromPayload source = iota // or a literal, where there is no path
	fromOwner
	fromAggregate
	fromList
)

type value struct {
	field    field
	group    int
	from     source
	path     []string
	literal  string
	optional bool
}

type rules struct {
	byType map[string][]rule
	lasts  []string // types that `learn` reads
}

var compiled = sync.OnceValue(func() rules { return compile(table) })

func rulesFor(eventType string) []rule { return compiled().byType[eventType] }

// Teaches reports whether events of the type teach anything.
func Teaches(eventType string) bool { return rulesFor(eventType) != nil }

// MaxFilter is how many event types one request to the Events API may name.
const MaxFilter = 30

// Types returns the event types that are worth reading from the beginning of the log, in
// lists that fit one request each. The first list has the most useful ones: people,
// organisations, projects, applications. The order does not change the result.
func Types() (lists [][]string) {
	for list := range slices.Chunk(compiled().lasts, MaxFilter) {
		lists = append(lists, slices.Clone(list))
	}
	return lists
}
