// Package setuptest has what tests of setup and of its scripts share: a test server with the
// token of an owner, clients of it, and what a run says.
package setuptest

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/setup"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// Owner is a token with the role IAM_OWNER.
const Owner = "token-of-an-owner-0123456789"

// Scene is a running test server and what was said.
type Scene struct {
	*testing.T
	Server *zitadeltest.Server
	Said   []string // by the last run, if each run begins with an empty list
}

// New starts a server, which ends with the test.
func New(t *testing.T) *Scene {
	t.Helper()
	s := &Scene{T: t, Server: zitadeltest.NewServer(zitadeltest.NewStore(), zitadeltest.Options{})}
	if err := s.Server.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Server.Close() })
	s.Server.AddToken(Owner, zitadeltest.Owner, time.Time{})
	return s
}

// Connect returns a client with a token.
func (s *Scene) Connect(transport, token string) *zitadel.Client {
	s.Helper()
	u, err := url.Parse(s.Server.URL())
	if err != nil {
		s.Fatal(err)
	}
	client, err := zitadel.New(s.Context(), config.Settings{URL: u, Transport: transport, Token: config.Secret(token), RequestTimeout: time.Minute}, zitadel.Options{})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { client.Close() })
	return client
}

// Say is for the option of this name.
func (s *Scene) Say(verb setup.Verb, text string) { s.Said = append(s.Said, string(verb)+" "+text) }

// WantSaid fails unless each part was said.
func (s *Scene) WantSaid(parts ...string) {
	s.Helper()
	all := strings.Join(s.Said, "\n")
	for _, part := range parts {
		if !strings.Contains(all, part) {
			s.Errorf("%q is missing in\n%s", part, all)
		}
	}
}
