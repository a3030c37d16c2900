package scripts

import (
	"context"
	"errors"
	"strings"
	"testing"

	managementpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"google.golang.org/protobuf/proto"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

func TestTheWebhookScriptGetsEndpointAndKeyAndNothingShowsTheKey(t *testing.T) {
	s := newScene(t, zitadel.TransportGRPC)
	const key, next = `first-"key"\u0041-0123456789`, "second-key-0123456789abc"
	webhook := func(endpoint string, key config.Secret) zitadel.Script {
		u, err := ParseEndpoint(endpoint, false)
		if err != nil {
			t.Fatal(err)
		}
		return Webhook(u, key)
	}
	var all strings.Builder
	install := func(script zitadel.Script) {
		t.Helper()
		s.install(func(o *Options) { o.Script = script })
		s.wantScript(s.first, script)
		all.WriteString(strings.Join(s.Said, "\n"))
	}
	script := webhook("https://siem.example.com/zitadel/post-auth", key)
	if got, ok := variable(keyVariable, script.Source); !ok || got != key {
		t.Error(got, ok)
	}
	install(script)
	s.wantFlows(s.first, WebhookName)
	s.unchanged(func() { install(script) })
	install(webhook("https://other.example.com/zitadel/post-auth", key))
	s.WantSaid("change action post_auth_webhook: its endpoint")
	install(webhook("https://other.example.com/zitadel/post-auth", next))
	s.WantSaid("change action post_auth_webhook: its key")
	if strings.Contains(all.String(), "key-0123") || strings.Contains(all.String(), `\u0041`) {
		t.Error("a key is shown:", all.String())
	}
	// ZITADEL repeats the script.
	s.Server.Update(func(f *zitadeltest.Faults) {
		f.BeforeQuery = func(_ context.Context, m string, req proto.Message) error {
			if r, ok := req.(*managementpb.UpdateActionRequest); ok {
				_, line, _ := strings.Cut(r.GetScript(), "var KEY = ")
				return errors.New(line[:60] + next)
			}
			return nil
		}
	})
	s.client.Hide(key)
	err := s.run(Run, func(o *Options) { o.Script = webhook("https://siem.example.com/zitadel/post-auth", key) })
	if err == nil || strings.Contains(err.Error(), next) || strings.Contains(err.Error(), "0123456789") {
		t.Error(err)
	}
	// Both scripts can be there.
	s.Server.Update(func(f *zitadeltest.Faults) { f.BeforeQuery = nil })
	s.install(nil)
	s.wantFlows(s.first, WebhookName, LogName)
	if err := s.run(Remove, func(o *Options) { o.Script = zitadel.Script{Name: WebhookName} }); err != nil {
		t.Fatal(err)
	}
	s.wantFlows(s.first, LogName)
}

func TestAWrongEndpointIsRefusedWithoutItsPassword(t *testing.T) {
	for text, insecure := range map[string]bool{
		"": false, "siem.example.com/zitadel": false, "ftp://siem.example.com/zitadel": false, "https://siem.example.com": false, "https://siem.example.com/": false,
		"https://user:hunter2@siem.example.com/zitadel": false, "https://siem.example.com/zitadel?key=hunter2": true, "http://siem.example.com/zitadel": false,
		"https://siem.example.com/zitadel#x": true, "https:///zitadel": true, "https://%zz:hunter2@x/": true,
	} {
		if u, err := ParseEndpoint(text, insecure); err == nil || strings.Contains(err.Error(), "hunter2") || !strings.HasPrefix(err.Error(), "endpoint: ") {
			t.Errorf("%q: %v %v", text, u, err)
		}
	}
	for _, text := range []string{"https://siem.example.com:8443/zitadel/post-auth", "http://127.0.0.1:8443/zitadel"} {
		if u, err := ParseEndpoint(text, false); err != nil || u.String() != text {
			t.Error(u, err)
		}
	}
}
