package source

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/fault"
	"github.com/zitadel-siem/zitadel-siem/internal/listen"
	"github.com/zitadel-siem/zitadel-siem/internal/pipe"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// The record of an API call comes from nowhere else. After a panic between the spool and the pipe,
// it must not leave the spool with the acknowledgement of the next one.
func TestLaw1_APanicLosesNoWebhook(t *testing.T) {
	t.Parallel()
	const key = "a-key-of-a-target-0123456789abcdef"
	keys := t.TempDir()
	if err := os.WriteFile(filepath.Join(keys, "siem"), []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	settings, _, err := config.Input.ParseMap(map[string]string{
		"url": "http://127.0.0.1:1", "token": "t", "instance": "lab", "state_path": filepath.Join(t.TempDir(), "state"),
		"webhook_listen": "127.0.0.1:0", "webhook_keys_dir": keys,
	}, config.ParseOptions{NeedState: true})
	if err != nil {
		t.Fatal(err)
	}
	l, err := listen.Open(settings, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { l.Keep(ctx); close(ended) }()
	defer func() { stop(); <-ended }()
	testkit.Until(t, "an address", func() bool { return l.Addr() != "" })
	target := zitadeltest.NewTarget("http://"+l.Addr()+"/siem", key)
	for _, user := range []string{"7", "8"} {
		if !target.Call(zitadeltest.Call{Method: "/zitadel.user.v2.UserService/DeactivateUser", UserID: user, OrgID: "9"}, false) {
			t.Fatal("a call was refused")
		}
	}
	s := &Source{Listener: l}
	s.pushes, s.detach = l.Attach()
	defer func() { s.detach() }()
	var taken []string
	take := func() {
		testkit.Until(t, "a push", func() bool {
			select {
			case p := <-s.pushes:
				taken = append(taken, p.Record.ID())
				return true
			default:
				return false
			}
		})
	}
	err = s.pushedAgain(func(context.Context, pipe.Emit) error { take(); panic("a bug") })(ctx, nil)
	if _, panicked := errors.AsType[*fault.Error](err); !panicked {
		t.Fatal(err)
	}
	take()
	take()
	if taken[1] != taken[0] || taken[2] == taken[1] {
		t.Errorf("before and after the panic came %q", taken)
	}
}
