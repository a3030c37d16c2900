package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
	"github.com/zitadel-siem/zitadel-siem/internal/statestore"
)

// held gives a new member of the store these sources.
func held(t *testing.T, store cluster.Store, member string, waiting int, sources ...string) {
	t.Helper()
	lease, err := store.Grant(t.Context(), time.Minute, cluster.Note{Name: member, Waiting: waiting})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Register(t.Context(), sources); err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		if _, err := store.Take(t.Context(), lease, source); err != nil {
			t.Fatal(err)
		}
	}
}

func holdings(t *testing.T, store cluster.Store) statestore.Holdings {
	t.Helper()
	h, err := statestore.Look(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestMembersShowsWhoHoldsWhatAndWhatNobodyHolds(t *testing.T) {
	store := clustertest.NewMemory()
	held(t, store, "host-b", 2, "us", "eu")
	held(t, store, "host-a", 0)
	if err := store.Register(t.Context(), []string{"lost", "eu"}); err != nil {
		t.Fatal(err)
	}
	h := holdings(t, store)
	var table, lines strings.Builder
	if err := writeMembers(&table, h); err != nil {
		t.Fatal(err)
	}
	want := "MEMBER    HOLDS  WAITS FOR  SOURCES\nhost-a    0      0          \nhost-b    2      2          eu, us\n(nobody)  1                 lost\n"
	if table.String() != want {
		t.Errorf("got\n%s\nwant\n%s", table.String(), want)
	}
	if err := writeMembersJSON(&lines, h); err != nil {
		t.Fatal(err)
	}
	want = `{"member":"host-a","sources_held":0,"sources_waiting":0,"sources":[]}
{"member":"host-b","sources_held":2,"sources_waiting":2,"sources":["eu","us"]}
{"member":null,"sources_held":1,"sources_waiting":0,"sources":["lost"]}
`
	if lines.String() != want {
		t.Errorf("got\n%s\nwant\n%s", lines.String(), want)
	}
}

func TestMembersOfAStoreThatNobodyUsesSaysSo(t *testing.T) {
	var table strings.Builder
	if err := writeMembers(&table, holdings(t, clustertest.NewMemory())); err != nil || table.String() != "No member has a lease: no process reads from this store now.\n" {
		t.Errorf("%v\n%s", err, table.String())
	}
}

// Members with different lists do not balance, and this is where an operator looks.
func TestMembersShowsThatListsOfSourcesDiffer(t *testing.T) {
	store := clustertest.NewMemory()
	for name, list := range map[string]string{"host-a-k3fq": "11", "host-a-x7mz": "22", "host-b-p2dd": "11"} {
		if _, err := store.Grant(t.Context(), time.Minute, cluster.Note{Name: name, Sources: list}); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Register(t.Context(), []string{"lost"}); err != nil {
		t.Fatal(err)
	}
	var table, lines strings.Builder
	if err := writeMembers(&table, holdings(t, store)); err != nil {
		t.Fatal(err)
	}
	want := `MEMBER       HOLDS  WAITS FOR  LIST  SOURCES
host-a-k3fq  0      0          1     
host-a-x7mz  0      0          2     
host-b-p2dd  0      0          1     
(nobody)     1                       lost

The members have different lists of sources (LIST), so no source moves to the one that has fewer. Give all members the same configuration.
`
	if table.String() != want {
		t.Errorf("got\n%s\nwant\n%s", table.String(), want)
	}
	if err := writeMembersJSON(&lines, holdings(t, store)); err != nil || strings.Count(lines.String(), `"list":"11"`) != 2 {
		t.Errorf("%v\n%s", err, lines.String())
	}
}

// Ten thousand names on a terminal tell nobody anything; a script gets all.
func TestMembersIsShortForPeopleAndCompleteForScripts(t *testing.T) {
	store := clustertest.NewMemory()
	var sources []string
	for i := range 3000 {
		sources = append(sources, fmt.Sprintf("tenant-%04d", i))
	}
	held(t, store, "host-a", 0, sources...)
	h := holdings(t, store)
	var table, lines strings.Builder
	if err := writeMembers(&table, h); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(table.String(), "tenant-0011, and 2,988 more\n") || table.Len() > 500 {
		t.Errorf("%.600s", table.String())
	}
	if err := writeMembersJSON(&lines, h); err != nil {
		t.Fatal(err)
	}
	var line struct{ Sources []string }
	if err := json.Unmarshal([]byte(lines.String()), &line); err != nil || len(line.Sources) != 3000 {
		t.Errorf("%d names, %v", len(line.Sources), err)
	}
}

// Whoever can write to the store chooses these names.
func TestMembersCannotForgeLinesOnATerminal(t *testing.T) {
	store := clustertest.NewMemory()
	held(t, store, "host\x1b[2J\nhost-z  9", 0, "eu\t\x07\nus")
	var table strings.Builder
	if err := writeMembers(&table, holdings(t, store)); err != nil {
		t.Fatal(err)
	}
	if strings.Count(table.String(), "\n") != 2 || strings.ContainsAny(table.String(), "\x1b\x07\t") {
		t.Errorf("%q", table.String())
	}
}

func TestCommandsAboutAStoreNeedTheStoreAndNothingElse(t *testing.T) {
	t.Parallel()
	withoutStore := writeFile(t, "none.yaml", "state_dir: /nowhere\nsources:\n  - url: https://zitadel.example.com\n")
	withStore := writeFile(t, "store.yaml", "state: postgres://siem@127.0.0.1:1/siem\nsources:\n  - ulr: typing mistake\n")
	state := writeFile(t, "a.state", `{"version":1,"instance":"a","updated":"2026-11-29T10:00:00Z","watermark":"2026-11-29T09:59:00Z","events":7,"checksum":""}`)
	for name, c := range map[string]struct {
		env    []string
		args   []string
		status int
		want   string
	}{
		"no store":            {nil, nil, exitUsage, "give --config FILE, --state URL or ZITADEL_STATE"},
		"a file without one":  {nil, []string{"--config", withoutStore}, exitUsage, "add `state:"},
		"a file and a flag":   {nil, []string{"--config", withStore, "--state", "etcd://h"}, exitUsage, "write state into the file"},
		"a wrong URL":         {[]string{"ZITADEL_STATE=postgres://u@h:port/d"}, nil, exitUsage, "state"},
		"a store that is off": {nil, []string{"--config", withStore}, exitFailed, "nobody listens there: start the store"},
		"a variable":          {[]string{"ZITADEL_STATE=postgres://siem:S3CR3T-of-the-store@127.0.0.1:1/siem"}, nil, exitFailed, "nobody listens there"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, command := range [][]string{{"pull", "--members"}, {"state", "import", state}, {"state", "export", t.TempDir()}} {
				got := finish(t, program(t, c.env, append(command, c.args...)...))
				if got.status != c.status || !strings.Contains(got.stderr, c.want) || got.stdout != "" || strings.Contains(got.stderr, "S3CR3T") {
					t.Errorf("%v: want status %d and %q: %v", command, c.status, c.want, got)
				}
			}
		})
	}
}

func TestMembersHasOneMoreFormat(t *testing.T) {
	t.Parallel()
	got := finish(t, program(t, nil, "pull", "--members=xml"))
	if got.status != exitUsage || !strings.Contains(got.stderr, "--members=json") {
		t.Error(got)
	}
}

// Everybody who may read the file can read what all sources have delivered, and move it.
func TestPasswordOfTheStoreInAFileThatOthersReadIsAWarning(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "store.yaml", "state: postgres://siem:S3CR3T-of-the-store@127.0.0.1:1/siem\n")
	for mode, warned := range map[os.FileMode]bool{0o644: true, 0o600: false} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		got := finish(t, program(t, nil, "pull", "--members", "--config", file))
		if strings.Contains(got.stderr, "chmod 600") != warned || strings.Contains(got.stderr, "S3CR3T") {
			t.Errorf("mode %o: %v", mode, got)
		}
	}
}

func TestMembersSaysWhyNobodyTakesASource(t *testing.T) {
	store := clustertest.NewMemory()
	held(t, store, "host-a", 1)
	if err := store.Refuse(t.Context(), "it is old"); err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	if err := writeMembers(&table, holdings(t, store)); err != nil || !strings.Contains(table.String(), "\nMembers take no source: the store went back: it is old; restore") {
		t.Errorf("%v\n%s", err, table.String())
	}
}
