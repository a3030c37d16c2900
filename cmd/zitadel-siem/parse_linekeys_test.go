package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// parse reads lines out of JSON that a tool put around them, and --line-keys says where they are.
func TestParseReadsTheLineInJSON(t *testing.T) {
	t.Parallel()
	around := func(key string) string {
		var b strings.Builder
		for _, line := range actionLines() {
			quoted, _ := json.Marshal(line) // a string
			b.WriteString(`{ "host": "h", "` + key + `": ` + string(quoted) + " }\n")
		}
		return b.String()
	}
	for _, c := range []struct {
		key   string
		args  []string
		wrote bool
	}{
		{"message", nil, true}, {"MESSAGE", nil, true}, {"textPayload", nil, true}, {"entry", nil, false},
		{"entry", []string{"--line-keys", "entry"}, true}, {"entry", []string{"--line-keys", "log,entry"}, true}, {"message", []string{"--line-keys", "entry"}, false},
	} {
		text := around(c.key)
		cmd := program(t, nil, append([]string{"parse"}, c.args...)...)
		cmd.Stdin = strings.NewReader(text)
		got, want := finish(t, cmd), 0
		if c.wrote {
			want = len(actionLines())
		}
		if got.status != 0 || strings.Count(got.stdout, "\n") != want {
			t.Errorf("%s %v: %d records, want %d\n%v", c.key, c.args, strings.Count(got.stdout, "\n"), want, got)
		}
		wantNoSecret(t, "the output", got.stdout+got.stderr)
	}
}
