package flbconf

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

const limitedPipeline = `service: {storage.path: /s, flush: 1}
pipeline:
  inputs:
    - name: zitadel
      tag: audit
      url: https://z.example
      token_file: /t
      state_path: /state
      threaded: off
      storage.type: filesystem
LIMIT
    - name: tail
      path: /var/log/zitadel.log
      tag: lines
      db: /db
      storage.type: filesystem
      buffer_max_size: 1M
      skip_long_lines: on
    - name: forward
      port: 24299
      storage.type: filesystem
OWNTAG
FILTERS
  outputs:
    - {name: zitadel, match: lines, forward: "127.0.0.1:24299", tag: logins, workers: 1, retry_limit: no_limitsLINES}
    - {name: OUTPUT, match: 'audit*', match_regex: '^(audit|logins|one)', retry_limit: no_limits, tls.verify: on}
`

func TestAnOutputWithALimitNeedsLimitedChunks(t *testing.T) {
	const refused, parts = "the output azure_logs_ingestion takes at most 1 MB in a request", "max_chunk_size has no effect"
	for _, c := range []struct{ name, output, limit, lines, ownTag, filters, find string }{
		{name: "no limit", output: "azure_logs_ingestion", find: refused},
		{name: "one of two", output: "azure_logs_ingestion", limit: "max_chunk_size: 800k", find: refused},
		{name: "both", output: "azure_logs_ingestion", limit: "max_chunk_size: 800k", lines: ", max_chunk_size: 800k"},
		{name: "too large", output: "azure_logs_ingestion", limit: "max_chunk_size: 2M", lines: ", max_chunk_size: 800k", find: refused},
		{name: "the other kind", output: "datadog", limit: "max_chunk_size: 800k", lines: ", max_chunk_records: 900", find: "the output datadog takes at most 1000 records"},
		{name: "records", output: "datadog", limit: "max_chunk_records: 900", lines: ", max_chunk_records: 900"},
		{name: "no destination with a limit", output: "opensearch"},
		{name: "the receiver's own tag", output: "azure_logs_ingestion", limit: "max_chunk_size: 800k", lines: ", max_chunk_size: 800k", ownTag: "      tag: logins", find: parts},
		{name: "rewritten to one tag", output: "azure_logs_ingestion", limit: "max_chunk_size: 800k", lines: ", max_chunk_size: 800k",
			filters: "  filters:\n    - {name: rewrite_tag, match: 'audit*', rule: $source ^ one false, emitter_storage.type: filesystem}", find: parts},
		{name: "rewritten to a tag with a field", output: "azure_logs_ingestion", limit: "max_chunk_size: 800k", lines: ", max_chunk_size: 800k",
			filters: "  filters:\n    - {name: rewrite_tag, match: 'audit*', rule: $source ^ one.$source false, emitter_storage.type: filesystem}", find: parts},
		{name: "rewritten with the tag", output: "azure_logs_ingestion", limit: "max_chunk_size: 800k", lines: ", max_chunk_size: 800k",
			filters: "  filters:\n    - {name: rewrite_tag, match: 'audit*', rule: $source ^ one.$TAG false, emitter_storage.type: filesystem}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.limit != "" {
				c.limit = "      " + c.limit
			}
			path := filepath.Join(t.TempDir(), "c.yaml")
			text := strings.NewReplacer("LIMIT", c.limit, "LINES", c.lines, "OUTPUT", c.output, "OWNTAG", c.ownTag, "FILTERS", c.filters).Replace(limitedPipeline)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			report, err := Check(path, Options{Parse: config.ParseOptions{NoFiles: true}})
			if err != nil {
				t.Fatal(err)
			}
			found := ""
			for _, f := range report.Findings {
				if f.Severity == Note {
					continue
				}
				if strings.Contains(f.What, "takes at most") || strings.Contains(f.What, "no effect") {
					found += f.What + "\n"
				} else {
					t.Errorf("beside: %v", f)
				}
			}
			if c.find == "" && found != "" || !strings.HasPrefix(found, c.find) {
				t.Errorf("found %q, want %q", found, c.find)
			}
		})
	}
}

// An output that takes the input's tag only would lose everything.
func TestALimitChangesTheTag(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	text := strings.NewReplacer("LIMIT", "      max_chunk_size: 1M", "LINES", "", "OUTPUT", "opensearch", "OWNTAG", "", "FILTERS", "", "match: 'audit*', match_regex: '^(audit|logins|one)'", "match: audit, match_regex: '^(audit|logins)$'").Replace(limitedPipeline)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := Check(path, Options{Parse: config.ParseOptions{NoFiles: true}})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		if strings.Contains(f.What, "no output matches the tag audit.*") {
			return
		}
	}
	t.Errorf("findings: %v", report.Findings)
}

// What takes the tag without the last part gets nothing, in silence: a filter that masks, a
// second output.
func TestALimitPassesByWhatTakesTheExactTag(t *testing.T) {
	const filters = `  filters:
    - {name: modify, match: audit, remove: user}
    - {name: modify, match: 'audit*', remove: user}
    - {name: modify, match: logins, remove: user}
    - {name: modify, match: other, remove: user}`
	const second = "\n    - {name: opensearch, match: audit, retry_limit: no_limits, tls.verify: on}\n"
	for _, c := range []struct {
		name, limit, lines string
		want               []string
	}{
		{name: "no limit"},
		{name: "of the input", limit: "      max_chunk_size: 800k",
			want: []string{"filter modify takes none of the tags audit.*", "output opensearch takes none of the tags audit.*"}},
		{name: "of the output", lines: ", max_chunk_records: 900", want: []string{"filter modify takes none of the tags logins.*"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "c.yaml")
			text := strings.NewReplacer("LIMIT", c.limit, "LINES", c.lines, "OUTPUT", "http", "OWNTAG", "", "FILTERS", filters).Replace(limitedPipeline) + second
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			report, err := Check(path, Options{Parse: config.ParseOptions{NoFiles: true}})
			if err != nil {
				t.Fatal(err)
			}
			var found []string
			for _, f := range report.Findings {
				if strings.Contains(f.What, "takes none of") {
					found = append(found, f.What)
				} else if f.Severity != Note {
					t.Errorf("beside: %v", f)
				}
			}
			if !slices.Equal(found, c.want) {
				t.Errorf("found %q, want %q", found, c.want)
			}
		})
	}
}
