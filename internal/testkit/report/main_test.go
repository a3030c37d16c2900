package main

import "testing"

func TestASkippedTestIsListedWithItsReason(t *testing.T) {
	var r report
	for _, line := range []string{
		`{"Action":"run","Package":"a/zitadel-siem/x","Test":"TestA"}`,
		`{"Action":"output","Package":"a/zitadel-siem/x","Test":"TestA","Output":"=== RUN   TestA\n"}`,
		`{"Action":"output","Package":"a/zitadel-siem/x","Test":"TestA","Output":"    a_test.go:1: NOTHING was tested\n"}`,
		`{"Action":"output","Package":"a/zitadel-siem/x","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}`,
		`{"Action":"skip","Package":"a/zitadel-siem/x","Test":"TestA"}`,
		`{"Action":"skip","Package":"a/zitadel-siem/y"}`,
	} {
		r.line([]byte(line))
	}
	if want := "  x TestA: a_test.go:1: NOTHING was tested"; len(r.skipped) != 1 || r.skipped[0] != want {
		t.Errorf("got %q, want %q", r.skipped, want)
	}
}
