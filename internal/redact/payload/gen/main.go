// Command gen makes internal/redact/table.txt out of a catalogue of ZITADEL's
// event types:
//
//	go run ./internal/redact/gen [-o FILE] EVENTS_JSON[.gz]
//
// The catalogue is a JSON list of {"type", "keys": [{"name", "sensitive"}]};
// name is a path such as notifications[].callUrl, sensitive is "secret", "pii"
// or false.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/redact"
)

func main() {
	out := flag.String("o", "", "file to write; default: standard output")
	flag.Parse()
	if err := run(flag.Arg(0), *out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(in, out string) error {
	catalogue, err := read(in)
	if err != nil {
		return fmt.Errorf("read catalogue: %w", err)
	}
	text, err := makeTable(catalogue)
	if err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	if out == "" {
		_, err = os.Stdout.Write(text)
		return err
	}
	return os.WriteFile(out, text, 0o644)
}

func read(path string) ([]byte, error) {
	raw, err := os.ReadFile(path)
	if err != nil || !strings.HasSuffix(path, ".gz") {
		return raw, err
	}
	zip, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	_, err = text.ReadFrom(zip)
	return text.Bytes(), err
}

type eventType struct {
	Type string
	Keys []struct {
		Name      string
		Sensitive any
	}
}

func makeTable(catalogue []byte) ([]byte, error) {
	var types []eventType
	if err := json.Unmarshal(catalogue, &types); err != nil {
		return nil, err
	}
	var lines []string
	for _, t := range types {
		var paths []string
		for _, key := range t.Keys {
			switch {
			case key.Sensitive == "secret":
				paths = append(paths, key.Name)
			case looksSecret(key.Name):
				paths = append(paths, "!"+key.Name)
			}
		}
		if len(paths) > 0 {
			slices.Sort(paths)
			lines = append(lines, t.Type+" "+strings.Join(slices.Compact(paths), " ")+"\n")
		}
	}
	slices.Sort(lines)
	return []byte("# Made by gen: event type, then the paths of its secrets. !PATH: no secret in spite of its name.\n" + strings.Join(slices.Compact(lines), "")), nil
}

// looksSecret reports whether the rule by key would take the path.
func looksSecret(path string) bool {
	last := path[strings.LastIndexByte(path, '.')+1:]
	return redact.SecretKey(strings.TrimSuffix(last, "[]"))
}
