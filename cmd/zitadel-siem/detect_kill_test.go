package main

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/tidwall/gjson"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// attacks are events of a day in which many things are done to few users, so that there are
// alerts of single events, of counts, of values and of chains.
func attacks(t *testing.T, random *rand.Rand, n int) (list []zitadeltest.Event) {
	t.Helper()
	payload := func(fields map[string]any) *structpb.Struct {
		s, err := structpb.NewStruct(fields)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	at := time.Now().Add(-time.Duration(n) * 3 * time.Second).Truncate(time.Microsecond)
	for range n {
		at = at.Add(time.Duration(random.IntN(4)) * 1500 * time.Millisecond)
		user := fmt.Sprint("20000000000000000", random.IntN(5))
		e := zitadeltest.Event{
			AggregateType: "user", AggregateID: user, ResourceOwner: "1", EditorID: user, EditorName: "LOGIN", CreatedAt: at,
			Payload: payload(map[string]any{"remoteIP": fmt.Sprint("203.0.113.", random.IntN(20)), "userAgent": "curl"}),
		}
		switch random.IntN(40) {
		default:
			e.Type = "user.human.password.check.failed"
		case 0, 1, 2, 3, 4, 5:
			e.Type = "user.human.password.check.succeeded"
		case 6:
			e.Type = "user.human.mfa.otp.removed"
		case 7:
			e.Type = "user.human.password.changed"
		case 8:
			e.Type, e.Payload = "user.human.email.changed", payload(map[string]any{"email": "a@example.com"})
		case 9:
			e.Type, e.Payload = "user.locked", nil
		case 10:
			e.AggregateType, e.AggregateID, e.Type = "instance", "1", "instance.member.added"
			e.Payload = payload(map[string]any{"userId": user, "roles": []any{"IAM_OWNER"}})
		case 11:
			e.AggregateType, e.AggregateID, e.Type = "instance", "1", "instance.member.removed"
			e.Payload = payload(map[string]any{"userId": user})
		}
		list = append(list, e)
	}
	return list
}

// TestLaw2AlertsSurviveKills: the reader is killed again and again while it reads. What came
// out in the end has every alert of a run without kills, and no other: what comes twice has
// the same id. KILL_ROUNDS is how many logs are read so; the default is one.
func TestLaw2AlertsSurviveKills(t *testing.T) {
	t.Parallel()
	rounds := 1
	if s := os.Getenv("KILL_ROUNDS"); s != "" {
		var err error
		if rounds, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	for round := range rounds {
		seed := uint64(round + 1)
		random := rand.New(rand.NewPCG(seed, 1))
		store := zitadeltest.NewStore()
		store.Append(attacks(t, random, 4000)...)
		server := zitadeltest.Serve(t, store, zitadeltest.Options{})
		args := []string{"pull", "--once", "--format", "ecs", "--detect", "on", "--page-size", "100"}
		calm := finish(t, program(t, environment(server), args...))
		alerts, _ := alertsOf(t, calm.stdout)
		want := map[string]bool{}
		for _, id := range alertIDs(alerts) {
			want[id] = true
		}
		if calm.status != 0 || len(want) < 20 {
			t.Fatal(calm, len(want))
		}

		server.Update(func(f *zitadeltest.Faults) { f.Latency = 3 * time.Millisecond })
		dir := t.TempDir()
		env := environment(server, "ZITADEL_STATE_PATH="+filepath.Join(dir, "state"))
		out, err := os.OpenFile(filepath.Join(dir, "out"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		kills := 0
		for ended := false; !ended; {
			var stderr bytes.Buffer
			cmd := program(t, env, args...)
			cmd.Stdout, cmd.Stderr = out, &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			pause := time.Duration(50+random.IntN(250)) * time.Millisecond
			if kills == 20 {
				pause = time.Minute // a slow machine ends, too
			}
			finished := make(chan error, 1)
			go func() { finished <- cmd.Wait() }()
			select {
			case err := <-finished:
				if ended = true; err != nil {
					t.Fatal(err, stderr.String())
				}
			case <-time.After(pause): // any point is right
				_ = cmd.Process.Kill()
				<-finished
				kills++
			}
		}
		content, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		got, repeated := map[string]bool{}, 0
		for line := range bytes.Lines(content) {
			if !gjson.ValidBytes(line) || gjson.GetBytes(line, "event.kind").Str != "alert" {
				continue // a kill may cut a line
			}
			id := gjson.GetBytes(line, "event.id").Str
			if got[id] {
				repeated++
			}
			got[id] = true
			if !want[id] {
				t.Errorf("seed %d: another alert: %s", seed, line)
			}
		}
		for id := range maps.Keys(want) {
			if !got[id] {
				i := slices.IndexFunc(alerts, func(a string) bool { return gjson.Get(a, "event.id").Str == id })
				t.Errorf("seed %d: lost: %s", seed, alerts[i])
			}
		}
		t.Logf("seed %d: %d kills, %d alerts, %d repeated", seed, kills, len(want), repeated)
	}
}
