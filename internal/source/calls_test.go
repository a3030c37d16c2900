package source

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// Two calls of one user from two addresses at the same time: each event gets the address of
// its own call, and the calls come out too.
func TestCalls_GiveEventsTheirAddress(t *testing.T) {
	store := zitadeltest.NewStore()
	srv := zitadeltest.NewServer(store, zitadeltest.Options{})
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	dir := t.TempDir()
	const key = "a-key-of-a-target-0123456789abcdef"
	keys := filepath.Join(dir, "targets")
	if err := errors.Join(os.Mkdir(keys, 0o700), os.WriteFile(filepath.Join(keys, "siem"), []byte(key+"\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	settings, _, err := config.Input.ParseMap(map[string]string{
		"url": srv.URL(), "token": srv.Token(), "instance": "lab", "state_path": filepath.Join(dir, "state"), "format": "ecs", "tier": "noise", "settle": "0s", "poll_interval": "100ms",
		"webhook_listen": "127.0.0.1:0", "webhook_keys_dir": keys,
	}, config.ParseOptions{NeedState: true})
	if err != nil {
		t.Fatal(err)
	}
	f, err := format.Open(settings.Format)
	if err != nil {
		t.Fatal(err)
	}
	var watched atomic.Int32 // events whose address rules have seen
	f.Watch(func(_ record.Record, line []byte) {
		if gjson.GetBytes(line, "event.action").String() == "user.deactivated" && strings.HasPrefix(gjson.GetBytes(line, "source.ip").String(), "203.0.113.") {
			watched.Add(1)
		}
	})
	var opened atomic.Bool // a minute ago: calls from before the start are not known
	clock := func() time.Time {
		if opened.Load() {
			return time.Now()
		}
		return time.Now().Add(-time.Minute)
	}
	s, err := Open(t.Context(), settings, Options{Log: slog.New(slog.DiscardHandler), Format: f, Encode: f.Lines(), Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	opened.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- s.Run(ctx, ctx, context.Background(), func(ctx context.Context) error { <-ctx.Done(); return nil })
	}()
	testkit.Until(t, "an address", func() bool { return s.Listener.Addr() != "" })

	target := zitadeltest.NewTarget("http://"+s.Listener.Addr()+"/siem", key)
	now := time.Now().Truncate(time.Microsecond)
	const deactivate = "/zitadel.user.v2.UserService/DeactivateUser"
	var all strings.Builder
	addresses := map[string]string{}
	apiCalls := 0
	come := func(events, calls int) bool {
		s.Pipe.Drain(func(_ string, lines []byte, _ int) bool { all.Write(lines); return true })
		clear(addresses)
		apiCalls = 0
		for line := range strings.Lines(all.String()) {
			switch gjson.Get(line, "event.action").String() {
			case "user.deactivated":
				addresses[gjson.Get(line, "user.target.id").String()] = gjson.Get(line, "source.ip").String() + " " + gjson.Get(line, "zitadel.ip_source").String()
			case "api.request", "api.response":
				apiCalls++
				if gjson.Get(line, "source.ip").String() == "" || gjson.Get(line, "zitadel.ip_source").String() != "forwarded_for" || gjson.Get(line, "url.domain").String() != "zitadel.example.com" {
					t.Error(line)
				}
			}
		}
		return len(addresses) == events && apiCalls == calls
	}
	for i, from := range []string{"203.0.113.7, 10.0.0.1", "203.0.113.8, 10.0.0.1"} {
		c := zitadeltest.Call{Method: deactivate, UserID: "8", OrgID: "9", ForwardedFor: from, Request: map[string]any{"userId": []string{"70", "71"}[i]}, Changed: now.Add(time.Duration(i) * time.Millisecond)}
		if !target.Call(c, false) || !target.Call(c, true) {
			t.Fatal("a call was refused")
		}
		store.Append(zitadeltest.Event{AggregateType: "user", AggregateID: []string{"70", "71"}[i], ResourceOwner: "9", Sequence: 5, Type: "user.deactivated", EditorID: "8", CreatedAt: c.Changed})
		// A call that is under way could have written the event as well.
		testkit.Until(t, "the records of a call", func() bool { return come(i+1, 2*(i+1)) })
	}
	if addresses["70"] != "203.0.113.7 call" || addresses["71"] != "203.0.113.8 call" {
		t.Errorf("%v\n%s", addresses, all.String())
	}
	if n := watched.Load(); n != 2 {
		t.Errorf("rules have seen the address of %d events", n)
	}
	cancel()
	if err := errors.Join(<-done, s.Close()); err != nil {
		t.Error(err)
	}
}
