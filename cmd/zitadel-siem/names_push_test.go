package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/tidwall/gjson"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// A pushed event comes before its pull, with the names that pushed and pulled events gave.
// When it is pulled too, it is one record. After a restart, the names are still known.
func TestPull_PushesHaveNamesAndComeOnce(t *testing.T) {
	t.Parallel()
	const (
		key    = "of-a-target-in-a-test"
		editor = "400712317102787622" // of most recorded events
		org    = "400712317102263334"
		person = "900712317102263334"
	)
	recorded := zitadeltest.RecordedEvents(time.Time{})
	server := startRecorded(t, zitadeltest.Options{})
	store := server.Store()
	editorName := userNames(recorded)[editor]
	if editorName == "" {
		t.Fatal("choose another editor")
	}
	sequence := uint64(0)
	event := func(typ string) zitadeltest.Event {
		sequence++
		return zitadeltest.Event{AggregateType: "user", AggregateID: person, ResourceOwner: org, Sequence: sequence, Type: typ, EditorID: editor, CreatedAt: time.Now()}
	}

	dir := t.TempDir()
	address, out := "127.0.0.1:"+testkit.FreePort(t), filepath.Join(dir, "out")
	keys := filepath.Dir(writeFile(t, "siem", key))
	env := environment(server, "ZITADEL_FORMAT=ecs", "ZITADEL_TIER=noise", "ZITADEL_STATE_PATH="+filepath.Join(dir, "state"), "ZITADEL_WEBHOOK_LISTEN="+address, "ZITADEL_WEBHOOK_KEYS_DIR="+keys)
	target := zitadeltest.NewTarget("http://"+address+"/siem", key)
	arrived := func(what string, e zitadeltest.Event) (doc gjson.Result) {
		t.Helper()
		testkit.Until(t, what, func() bool {
			var ok bool
			doc, ok = byID(t, readFile(t, out))[idOf(e)]
			return ok
		})
		return doc
	}
	for restarts := range 3 {
		file, err := os.OpenFile(out, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		cmd := program(t, env, "pull")
		cmd.Stdout = file
		waitFor(t, listenTo(t, cmd), "webhooks are received")
		file.Close()

		arrived("the recorded log", recorded[len(recorded)-1]) // it names the editor
		first := event("user.locked")
		if restarts == 0 { // what names the person is a push of its own
			first.Type = "user.human.added"
			first.Payload, _ = structpb.NewStruct(map[string]any{"userName": "ann", "email": "ann@example.com", "displayName": "Ann Schmidt"})
		}
		second := event("user.deactivated")
		if target.Ahead(first, second) != 2 {
			t.Fatal("a webhook was refused")
		}
		for _, e := range []zitadeltest.Event{first, second} {
			doc := arrived(e.Type, e)
			for path, want := range map[string]string{
				"event.provider": record.SourceWebhook, "user.id": editor, "user.name": editorName, "user.target.id": person, "user.target.name": "ann", "user.target.email": "ann@example.com",
			} {
				if got := doc.Get(path).String(); got != want {
					t.Errorf("%s: %s is %q, want %q in %s", e.Type, path, got, want, doc)
				}
			}
		}
		// The log has them now, and something younger: once that is there, they were read too.
		last := event("user.reactivated")
		store.Append(first, second, last)
		if doc := arrived(last.Type, last); doc.Get("event.provider").String() != record.SourceEventsAPI || doc.Get("user.target.name").String() != "ann" {
			t.Errorf("pulled: %s", doc)
		}
		if status := interrupt(t, cmd, syscall.SIGINT); status != 0 {
			t.Errorf("exit status %d", status)
		}
	}
	counts := idsOf(t, readFile(t, out))
	for _, k := range store.Keys() {
		id := record.Key{Instance: "test", AggregateType: k.AggregateType, AggregateID: k.AggregateID, Sequence: k.Sequence}.ID()
		if counts[id] != 1 {
			t.Errorf("%s came %d times", id, counts[id])
		}
		delete(counts, id)
	}
	if len(counts) > 0 {
		t.Errorf("foreign: %v", counts)
	}
}
