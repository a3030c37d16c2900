package detect

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/durable"
)

// chained has every kind of group: counts, values, a correlation of a correlation, a silence.
const chained = `
title: Failed
id: failed
logsource: {product: zitadel, service: audit}
detection: {a: {event.action: failed}, condition: a}
---
title: Right
id: right
logsource: {product: zitadel, service: audit}
detection: {a: {event.action: right}, condition: a}
---
title: Many
id: many
correlation: {type: event_count, rules: [failed], group-by: [user.id], timespan: 1m, condition: {gte: 4}}
---
title: Guessed
id: guessed
correlation: {type: temporal_ordered, rules: [many, right], group-by: [user.id], timespan: 2m}
---
title: Spray
id: spray
correlation: {type: value_count, rules: [failed], group-by: [source.ip], timespan: 1m, condition: {field: user.id, gte: 4}}
---
title: Silence
id: silence
correlation: {type: event_count, rules: [right], group-by: [user.id], timespan: 10m, condition: {lt: 1}}
`

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// stream is a fixed mixture: users fail and succeed from a few addresses.
func stream(n int) (lines [][]byte) {
	for i := range n {
		action := "failed"
		if i%7 == 6 {
			action = "right"
		}
		user, ip := i*i%5, i%3
		lines = append(lines, fmt.Appendf(nil, `{"@timestamp":%q,"event":{"id":"e%d","action":%q},"user":{"id":"u%d"},"source":{"ip":"192.0.2.%d"}}`,
			start.Add(time.Duration(i)*4*time.Second).Format(time.RFC3339), i, action, user, ip))
	}
	return lines
}

// play gives lines to an engine and returns the ids of the alerts, the rule before them.
func play(e *Engine, lines [][]byte, from int) (ids []string) {
	e.o.Emit = func(a *Alert) { ids = append(ids, a.Rule.ID+" "+a.ID()) }
	for i, line := range lines {
		now := start.Add(time.Duration(from+i) * 4 * time.Second)
		e.Tick(now)
		e.Record(line, now)
	}
	return ids
}

// listening is opened, with an engine that appends the events of each alert to got.
func listening(t *testing.T, set *Set, path string, got *[]string) (*Engine, *State) {
	t.Helper()
	e, s := opened(t, set, path)
	e.o.Emit = func(a *Alert) { *got = append(*got, fmt.Sprint(a.Events)) }
	return e, s
}

func opened(t *testing.T, set *Set, path string) (*Engine, *State) {
	t.Helper()
	e := New(set, Options{})
	s, err := OpenState(path, e)
	if err != nil {
		t.Fatal(err)
	}
	return e, s
}

// TestAKillForgetsAndInventsNothing: killed at any record after a Sync at any earlier one, and
// fed again from there or from before, an engine gives the alerts that it would have given.
func TestAKillForgetsAndInventsNothing(t *testing.T) {
	set := loaded(t, chained)
	lines := stream(150)
	want := play(New(set, Options{}), lines, 0)
	if len(want) < 8 {
		t.Fatalf("only %d alerts: %q", len(want), want)
	}
	want = slices.Compact(slices.Sorted(slices.Values(want)))
	for kill := 1; kill < len(lines); kill += 17 {
		for _, back := range []int{0, 11} { // what the reader's own state is behind
			path := filepath.Join(t.TempDir(), "state")
			e, s := opened(t, set, path)
			got := play(e, lines[:kill], 0)
			if err := s.Sync(); err != nil {
				t.Fatal(err)
			}
			_ = s.lock.Release() // a kill does
			from := max(0, kill-back)
			e, s = opened(t, set, path)
			got = append(got, play(e, lines[from:], from)...)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if got = slices.Compact(slices.Sorted(slices.Values(got))); !slices.Equal(got, want) {
				t.Fatalf("killed at %d, again from %d: %d alerts, want %d\n%q\n%q", kill, from, len(got), len(want), got, want)
			}
		}
	}
}

// TestEveryAlertThatTheSinkMayNotHaveComesAgain: the file is ahead of the reader's state by
// what was read and not handed over, in which a group may have given several alerts. A start
// that ends before it reads forgets none of them either.
func TestEveryAlertThatTheSinkMayNotHaveComesAgain(t *testing.T) {
	set := loaded(t, chained)
	// Counts stop, so that their groups are over by the newest event.
	lines := stream(400)
	for i := 150; i < len(lines); i++ {
		lines[i] = bytes.ReplaceAll(lines[i], []byte("failed"), []byte("other"))
	}
	want := slices.Compact(slices.Sorted(slices.Values(play(New(set, Options{}), lines, 0))))
	for _, from := range []int{0, 5, 33, 90} {
		path := filepath.Join(t.TempDir(), "state")
		var e *Engine
		var s *State
		open := func() {
			e = New(set, Options{})
			e.Settle(start.Add(time.Duration(from-1) * 4 * time.Second)) // the reader's watermark
			var err error
			if s, err = OpenState(path, e); err != nil {
				t.Fatal(err)
			}
		}
		open()
		got := play(e, lines[:from], 0) // the sink has these
		play(e, lines[from:], from)     // and not these
		for range 2 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			open()
		}
		got = append(got, play(e, lines[from:], from)...)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		got = slices.Compact(slices.Sorted(slices.Values(got)))
		for _, id := range want {
			if !strings.HasPrefix(id, "silence ") && !slices.Contains(got, id) {
				t.Errorf("from %d: %s is lost", from, id)
			}
		}
		for _, id := range got {
			if !slices.Contains(want, id) {
				t.Errorf("from %d: %s is invented", from, id)
			}
		}
	}
}

// TestWhatIsSettledIsForgotten: the alerts that the sink has take no memory.
func TestWhatIsSettledIsForgotten(t *testing.T) {
	set := loaded(t, chained)
	e := New(set, Options{})
	for i, line := range stream(3000) {
		e.Settle(start.Add(time.Duration(i) * 4 * time.Second))
		play(e, [][]byte{line}, i)
		for _, g := range e.groups {
			if len(g.owed) > 40 {
				t.Fatalf("%s still has %d alerts", g.rule.ID, len(g.owed))
			}
		}
	}
}

// TestTheLastAlertComesAgainAfterAKill: nobody knows whether the sink had it.
func TestTheLastAlertComesAgainAfterAKill(t *testing.T) {
	set := loaded(t, chained)
	lines := stream(150)
	path := filepath.Join(t.TempDir(), "state")
	e, s := opened(t, set, path)
	for i, line := range lines {
		first := play(e, [][]byte{line}, i)
		if len(first) == 0 {
			continue
		}
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
		_ = s.lock.Release()
		e, s = opened(t, set, path)
		if again := play(e, [][]byte{line}, i); !slices.Equal(again, first) {
			t.Fatalf("record %d: first %q, again %q", i, first, again)
		}
	}
	_ = s.Close()
}

// TestLaw5ADamagedOrForeignStateIsAnError: with every byte changed, an error that says what to
// do, or, in the last line, what a crash leaves.
func TestLaw5ADamagedOrForeignStateIsAnError(t *testing.T) {
	set := loaded(t, chained)
	path := filepath.Join(t.TempDir(), "state")
	e, s := opened(t, set, path)
	play(e, stream(9), 0)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(b []byte) error {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := OpenState(path, New(set, Options{}))
		if err == nil {
			_ = s.Close()
		}
		return err
	}
	if err := try(content); err != nil {
		t.Fatal(err)
	}
	for i := range len(content) - 1 { // without its last byte a line is one that a crash cut
		damaged := slices.Clone(content)
		damaged[i] ^= 0x20
		if err := try(damaged); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrForeign) {
			t.Errorf("byte %d of %d changed: %v", i, len(content), err)
		}
	}
	for _, b := range [][]byte{{}, []byte("x"), []byte("{}\n"), content[:10]} {
		if err := try(b); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrForeign) {
			t.Errorf("%q: %v", b, err)
		}
	}
	whole := bytes.Count(content, []byte{'\n'})
	for i := len(content) - 40; i < len(content); i += 9 {
		if err := try(content[:i]); err != nil {
			t.Errorf("cut in the last of %d lines, as a crash does: %v", whole, err)
		}
	}
}

func TestTheStateHasOneOwner(t *testing.T) {
	set := loaded(t, chained)
	path := filepath.Join(t.TempDir(), "state")
	_, s := opened(t, set, path)
	defer s.Close()
	if _, err := OpenState(path, New(set, Options{})); !errors.Is(err, durable.ErrLocked) {
		t.Error(err)
	}
	if !s.IsNew() {
		t.Error("there was a file")
	}
	if err := s.Sync(); err != nil || s.IsNew() {
		t.Error(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
}

// TestTheStateFileIsBounded: it is written anew when most of it is over.
func TestTheStateFileIsBounded(t *testing.T) {
	set := loaded(t, chained)
	path := filepath.Join(t.TempDir(), "state")
	e, s := opened(t, set, path)
	defer s.Close()
	largest := 0
	for i, line := range stream(20_000) {
		play(e, [][]byte{line}, i)
		if i%200 == 0 {
			if err := s.Sync(); err != nil {
				t.Fatal(err)
			}
		}
		largest = max(largest, s.size)
	}
	if largest < rewriteFrom/2 || largest > 2*rewriteFrom {
		t.Errorf("the file had up to %d bytes", largest)
	}
}

// TestMemoryIsBounded: groups and bytes, whatever comes; what had to go is counted.
func TestMemoryIsBounded(t *testing.T) {
	set := loaded(t, chained)
	e := New(set, Options{MaxGroups: 100, MaxBytes: 40_000})
	for i := range 5000 {
		e.Record(fmt.Appendf(nil, `{"@timestamp":%q,"event":{"id":"e%d","action":"failed"},"user":{"id":"u%d"},"source":{"ip":"x%d"}}`,
			start.Format(time.RFC3339), i, i, i), start)
		if e.Stats.Groups > 101 || len(e.groups) != e.Stats.Groups {
			t.Fatal(e.Stats)
		}
		if e.Stats.Bytes > 41_000 {
			t.Fatal(e.Stats)
		}
	}
	if e.Stats.Evicted < 4000 {
		t.Error(e.Stats)
	}
	sum := 0
	for _, g := range e.groups {
		sum += g.bytes
	}
	if sum != e.Stats.Bytes {
		t.Errorf("%d bytes are counted, the groups have %d", e.Stats.Bytes, sum)
	}
	// One group with ever new events.
	e = New(set, Options{})
	for i := range 5000 {
		e.Record(fmt.Appendf(nil, `{"@timestamp":%q,"event":{"id":"e%d","action":"failed"},"user":{"id":"u1"},"source":{"ip":"x"}}`,
			start.Add(time.Duration(i)*time.Millisecond).Format(time.RFC3339Nano), i), start)
	}
	for _, g := range e.groups {
		if len(g.list) > maxKept {
			t.Errorf("%s keeps %d occurrences", g.rule.ID, len(g.list))
		}
	}
	if e.Stats.Dropped == 0 {
		t.Error("no event was dropped")
	}
}
