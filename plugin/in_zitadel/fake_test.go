package main_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/tinylib/msgp/msgp"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
	"github.com/zitadel-siem/zitadel-siem/plugin/plugintest"
)

func TestMain(m *testing.M) {
	// They wait for the seconds of Fluent Bit's, not for a processor.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	plugintest.Main(m)
}

// zitadel starts a fake ZITADEL server with the recorded events.
func zitadel(t *testing.T) *zitadeltest.Server {
	t.Helper()
	return zitadeltest.ServeRecorded(t, zitadeltest.Options{})
}

func serve(t *testing.T, store *zitadeltest.Store) *zitadeltest.Server {
	t.Helper()
	return zitadeltest.Serve(t, store, zitadeltest.Options{})
}

// wantAll checks that the ids are those of the store's events, each at least
// once, and returns how many are repeats.
func wantAll(t *testing.T, store *zitadeltest.Store, instance string, ids []string) (repeats int) {
	t.Helper()
	missing, strange, repeats := compare(store, instance, ids)
	if missing > 0 {
		t.Errorf("%d of %d events are lost", missing, store.Len())
	}
	if strange > 0 {
		t.Errorf("%d ids came out that the store does not have", strange)
	}
	return repeats
}

// compare counts the store's events that are not among the ids, the ids that are
// none of the store's, and those that are there again.
func compare(store *zitadeltest.Store, instance string, ids []string) (missing, strange, repeats int) {
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		seen[id] = true
	}
	repeats = len(ids) - len(seen)
	for _, k := range store.Keys() {
		id := idOf(instance, k)
		if !seen[id] {
			missing++
		}
		delete(seen, id)
	}
	return missing, len(seen), repeats
}

// idOf is event.id.
func idOf(instance string, k zitadeltest.Key) string {
	return instance + "/" + k.AggregateType + "/" + k.AggregateID + "/" + strconv.FormatUint(k.Sequence, 10)
}

func idSet(ids []string) map[string]bool {
	set := make(map[string]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}

// idsOfMsgpack returns event.id of every [EventTime, map] in b.
func idsOfMsgpack(t *testing.T, b []byte) (ids []string) {
	t.Helper()
	for len(b) > 0 {
		n, rest, err := msgp.ReadArrayHeaderBytes(b)
		if err != nil || n != 2 {
			t.Fatalf("no [EventTime, map]: %d %v", n, err)
		}
		if len(rest) < 10 || rest[0] != 0xd7 || rest[1] != 0 {
			t.Fatalf("no EventTime: % x", rest[:min(10, len(rest))])
		}
		body, rest, err := msgp.ReadMapStrIntfBytes(rest[10:], nil)
		if err != nil {
			t.Fatal(err)
		}
		id, _ := body["event"].(map[string]any)["id"].(string)
		ids = append(ids, id)
		b = rest
	}
	return ids
}

func committed(t *testing.T, path string) uint64 {
	t.Helper()
	s, err := cursor.Read(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return s.Events
}

func pendingFiles(t *testing.T, state string) []string {
	t.Helper()
	files, err := filepath.Glob(state + ".pending-*")
	if err != nil {
		t.Fatal(err)
	}
	return files
}
