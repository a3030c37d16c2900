package cluster_test

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// linesWith are the lines of a log that have text.
func linesWith(log *testkit.Text, text string) (lines []string) {
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, text) {
			lines = append(lines, line)
		}
	}
	return lines
}

// sum adds up a figure of lines of a log.
func sum(t *testing.T, lines []string, key string) (all int) {
	t.Helper()
	for _, line := range lines {
		_, rest, _ := strings.Cut(line, " "+key+"=")
		n := 0
		if _, err := fmt.Sscanf(rest, "%d", &n); err != nil {
			t.Errorf("no %s in %s", key, line)
		}
		all += n
	}
	return all
}

// Who reads what can be seen in the log, and thousands of sources do not fill it.
func TestMovesOfSourcesAreToldInFewLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ttl = cluster.DefaultTTL
		store, names := clustertest.NewMemory(), clustertest.Names(1000)
		g := clustertest.NewGroup(ttl, time.Second)
		one, two := &testkit.Text{}, &testkit.Text{}
		a := g.Start(t, store, cluster.Options{Name: "a", Log: slog.New(slog.NewTextHandler(one, nil))}, names)
		defer a.Stop()
		time.Sleep(2 * ttl)
		lines := linesWith(one, "sources were taken")
		if n := sum(t, lines, "taken"); n != len(names) || len(lines) > 4 {
			t.Errorf("%d taken, in %d lines:\n%s", n, len(lines), strings.Join(lines, ""))
		}
		if !strings.Contains(lines[0], " more\"") || len(lines[0]) > 400 {
			t.Errorf("the first line: %s", lines[0])
		}
		b := g.Start(t, store, cluster.Options{Name: "b", Log: slog.New(slog.NewTextHandler(two, nil))}, names)
		defer b.Stop()
		began := time.Now()
		for len(b.Status().Held) < 500 {
			time.Sleep(ttl)
		}
		time.Sleep(2 * ttl)
		most := int(time.Since(began)/(10*time.Second)) + 1
		given, taken := linesWith(one, "sources were given up"), linesWith(two, "sources were taken")
		if n, m := sum(t, given, "given_up"), sum(t, taken, "taken"); n < 500 || m < 500 || n+m > 1100 || len(given) > most || len(taken) > most {
			t.Errorf("%d given up in %d lines, %d taken in %d lines, %s", n, len(given), m, len(taken), time.Since(began))
		}
	})
}

func TestListsThatDifferAreToldOnceForEachChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ttl = cluster.DefaultTTL
		store, names := clustertest.NewMemory(), clustertest.Names(10)
		g := clustertest.NewGroup(ttl, time.Second)
		log := &testkit.Text{}
		a := g.Start(t, store, cluster.Options{Name: "a", Log: slog.New(slog.NewTextHandler(log, nil))}, names)
		defer a.Stop()
		b := g.Start(t, store, cluster.Options{Name: "b"}, names)
		defer b.Stop()
		warned := func(what string, want int) {
			t.Helper()
			if lines := linesWith(log, "another list of sources"); len(lines) != want || want > 0 && !strings.Contains(lines[want-1], "members=b ") {
				t.Errorf("%s: %q", what, lines)
			}
		}
		const long = 6 * time.Minute
		time.Sleep(long)
		warned("equal lists", 0)
		b.Read(names[:9])
		time.Sleep(4 * time.Minute)
		b.Read(names)
		time.Sleep(long)
		warned("a rollout", 0)
		b.Read(names[:9])
		time.Sleep(long)
		warned("one source fewer", 1)
		lease, err := store.Grant(t.Context(), ttl, cluster.Note{Name: "check", Sources: "check"})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(ttl / 2)
		if err := store.Revoke(t.Context(), lease); err != nil {
			t.Fatal(err)
		}
		time.Sleep(long)
		warned("a command looks at the store", 1)
		b.Read(names[:8])
		time.Sleep(long)
		warned("two fewer", 2)
		b.Read(names[:7])
		time.Sleep(ttl / 2)
		b.Read(names)
		time.Sleep(long)
		warned("equal again", 2)
		if n := len(linesWith(log, "the same list of sources again")); n != 1 {
			t.Errorf("%d lines say that the lists are equal again", n)
		}
		members := cluster.Members(mustLook(t, store), nil)
		if members[0].List != members[1].List || members[0].List == "" {
			t.Errorf("members show the lists %+v", members)
		}
	})
}

func mustLook(t *testing.T, store cluster.Store) cluster.View {
	t.Helper()
	view, err := store.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return view
}

// Two processes on one host can be told apart, and their host can be seen.
func TestNamesOfMembersHaveTheHostAndDiffer(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for range 10 {
		m, err := cluster.New(cluster.Options{Store: clustertest.NewMemory()})
		if err != nil {
			t.Fatal(err)
		}
		name := m.Status().Name
		if names[name] || !strings.HasPrefix(name, host+"-") || len(name) != len(host)+5 || m.Status().Name != name {
			t.Errorf("a member has the name %s", name)
		}
		names[name] = true
	}
}
