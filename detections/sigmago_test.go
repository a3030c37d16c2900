package detections_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bradleyjkemp/sigma-go"
	"github.com/bradleyjkemp/sigma-go/evaluator"
	"github.com/tidwall/gjson"
	"golang.org/x/sys/unix"

	"github.com/zitadel-siem/zitadel-siem/internal/detect"
)

// unknownThere is what sigma-go v0.6.6 does not have: wildcards in values, null in records
// with lists, and modifiers that came with Sigma 2.
var unknownThere = regexp.MustCompile(`\|(exists|cased|neq|fieldref|i|m|s)\b|: .*[*?].*$|: null`)

// foreign are the rules of single events for sigma-go, by id.
func foreign(tb testing.TB) map[string]sigma.Rule {
	tb.Helper()
	paths, err := filepath.Glob("*.yml")
	if err != nil {
		tb.Fatal(err)
	}
	all := map[string]sigma.Rule{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		for doc := range strings.SplitSeq(string(b), "\n---\n") {
			_, detection, ok := strings.Cut(doc, "\ndetection:")
			detection, _, _ = strings.Cut(detection, "\n  condition:")
			unknown := false
			for line := range strings.Lines(detection) {
				unknown = unknown || unknownThere.MatchString(strings.TrimRight(line, "\n"))
			}
			if !ok || unknown {
				continue
			}
			r, err := sigma.ParseRule([]byte(doc))
			if err != nil {
				tb.Fatalf("%s: sigma-go: %v", path, err)
			}
			all[r.ID] = r
		}
	}
	return all
}

// mapping gives sigma-go the path of each field, since it looks only at the top of a record.
func mapping(set *detect.Set) sigma.Config {
	c := sigma.Config{FieldMappings: map[string]sigma.FieldMapping{}}
	for _, r := range set.Rules {
		for _, f := range r.Fields() {
			c.FieldMappings[f] = sigma.FieldMapping{TargetNames: []string{"$." + f}}
		}
	}
	return c
}

// corpus is some recorded events of each type, and the evidence of every rule.
func corpus(tb testing.TB) (all [][]byte) {
	tb.Helper()
	const each = 3 // sigma-go takes a millisecond for an event
	seen := map[string]int{}
	for _, line := range lines(recording(tb, everything)) {
		action := gjson.GetBytes(line, "event.action").Str
		if seen[action]++; seen[action] <= each {
			all = append(all, line)
		}
	}
	for _, r := range rules(tb).Rules {
		if !r.Alerts() {
			continue
		}
		e := readEvidence(tb, filepath.Join("testdata", r.Name+".yml"))
		for _, s := range append(e.Positive, e.Negative...) {
			played := lines(s.play(tb))
			all = append(all, played[:min(len(played), each)]...)
			all = append(all, played[len(played)-1])
		}
	}
	return all
}

// TestSigmaGoAgrees: a second engine finds the same records by the same rules of single events.
func TestSigmaGoAgrees(t *testing.T) {
	set := rules(t)
	ours := detect.New(set, detect.Options{})
	theirs := map[string]*evaluator.RuleEvaluator{}
	for id, r := range foreign(t) {
		theirs[id] = evaluator.ForRule(r, evaluator.WithConfig(mapping(set)))
	}
	single := 0
	for _, r := range set.Rules {
		if r.Correlation == nil {
			single++
		}
	}
	if len(theirs) < single/2 {
		t.Fatalf("sigma-go reads only %d of %d rules", len(theirs), single)
	}
	compared, matched := 0, 0
	for _, line := range corpus(t) {
		var event map[string]any
		if err := json.Unmarshal(line, &event); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(line, []byte(`"event.action"`)) {
			continue // a record with dotted keys, which sigma-go's paths do not find
		}
		found := map[string]bool{}
		for _, r := range ours.Matching(line) {
			found[r.ID] = true
		}
		for id, e := range theirs {
			r, err := e.Matches(context.Background(), event)
			if err != nil {
				t.Fatalf("%s: %v", e.Title, err)
			}
			if r.Match != found[id] {
				t.Errorf("%s: sigma-go says %t, we %t: %s", e.Title, r.Match, found[id], line)
			}
			compared++
			if r.Match {
				matched++
			}
		}
	}
	if matched < 100 {
		t.Errorf("%d comparisons, and only %d matches", compared, matched)
	}
	t.Logf("%d of %d rules, %d comparisons, %d matches", len(theirs), single, compared, matched)
}

// cpuTime is what this process has used, so that the others of a busy machine do not count.
func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRules: all rules, with their correlations, on recorded events; one core.
func BenchmarkRules(b *testing.B) {
	set := rules(b)
	day := recording(b, everything)
	size := 0
	for _, m := range day {
		size += len(m.line)
	}
	e := detect.New(set, detect.Options{})
	b.SetBytes(int64(size / len(day)))
	b.ReportAllocs()
	began := cpuTime(b)
	n := 0
	for b.Loop() {
		m := &day[n%len(day)]
		e.Record(m.line, m.at)
		n++
	}
	b.ReportMetric(float64(n)/(cpuTime(b)-began).Seconds(), "records/cpu-s")
	b.ReportMetric(float64(len(set.Rules)), "rules")
}

// BenchmarkLogins: only failed checks of ever new users, each of which every rule about logins
// has to count: the worst that an attacker can send.
func BenchmarkLogins(b *testing.B) {
	var failed []byte
	for _, m := range recording(b, everything) {
		if bytes.Contains(m.line, []byte(`"user.human.password.check.failed"`)) && bytes.Contains(m.line, []byte(`"ip"`)) {
			failed = m.line
		}
	}
	at := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	e := detect.New(rules(b), detect.Options{})
	id := regexp.MustCompile(`demo/user/(\d+)/`).FindSubmatch(failed)[1]
	stamp := regexp.MustCompile(`"@timestamp":"([^"]*)"`).FindSubmatch(failed)[1]
	b.SetBytes(int64(len(failed)))
	b.ReportAllocs()
	began := cpuTime(b)
	n := 0
	var line []byte
	for b.Loop() {
		user := []byte("400000000000000000")
		for i, k := len(user)-1, n%50_000; k > 0; i, k = i-1, k/10 {
			user[i] = byte('0' + k%10)
		}
		now := at.Add(time.Duration(n) * time.Millisecond)
		line = append(line[:0], bytes.ReplaceAll(failed, id, user)...)
		copy(line[bytes.Index(line, stamp):], now.Format("2006-01-02T15:04:05.000000Z"))
		e.Record(line, now)
		n++
	}
	b.ReportMetric(float64(n)/(cpuTime(b)-began).Seconds(), "records/cpu-s")
}

// BenchmarkSigmaGo is what somebody would take instead: sigma-go's evaluator, which has no
// correlations, for the rules that it can read.
func BenchmarkSigmaGo(b *testing.B) {
	set := rules(b)
	day := lines(recording(b, everything))
	size := 0
	for _, line := range day {
		size += len(line)
	}
	var list []sigma.Rule
	for _, r := range foreign(b) {
		list = append(list, r)
	}
	bundle := evaluator.ForRules(list, evaluator.WithConfig(mapping(set)))
	b.SetBytes(int64(size / len(day)))
	b.ReportAllocs()
	began := cpuTime(b)
	n := 0
	for b.Loop() {
		var event map[string]any
		if err := json.Unmarshal(day[n%len(day)], &event); err != nil {
			b.Fatal(err)
		}
		if _, err := bundle.Matches(context.Background(), event); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(n)/(cpuTime(b)-began).Seconds(), "records/cpu-s")
	b.ReportMetric(float64(len(list)), "rules")
}
