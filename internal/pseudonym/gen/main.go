// Command gen makes internal/pseudonym/table.txt out of a catalogue of ZITADEL's event
// types:
//
//	go run ./internal/pseudonym/gen [-o FILE] EVENTS_JSON.gz
//
// The catalogue is a JSON list of {"type", "keys": [{"name", "sensitive"}]}; name is a path
// such as user_agent.ip, sensitive is "secret", "pii" or false.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
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
	text, err := makeTable(in)
	if err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	if out == "" {
		_, err = os.Stdout.Write(text)
		return err
	}
	return os.WriteFile(out, text, 0o644)
}

// kinds are the words of table.txt by the last key of a path; the others are "data".
var kinds = map[string]string{
	"email": "mail", "supportEmail": "mail", "senderAddress": "mail", "replyToAddress": "mail",
	"phone": "phone", "senderNumber": "phone",
	"ip": "ip", "remoteIP": "ip",
	"userName": "user", "username": "user", "idpUserName": "user", "idpUserId": "user", "userId": "user", "user": "user",
	"previousId": "user", "newId": "user", "login_hint": "user", "loginHint": "user",
	"firstName": "name", "lastName": "name", "nickName": "name", "displayName": "name", "senderName": "name", "webAuthNTokenName": "name",
	"userAgent": "agent", "user_agent": "agent", "UserAgent": "agent", "userAgentID": "agent", "userAgentId": "agent",
	"fingerprint_id": "agent", "description": "agent",
}

// idKeys are personal in a few types, as ids at another provider, and ids of ZITADEL or
// attributes of something else in types that the catalogue may not know yet: they go by
// type alone.
var idKeys = []string{"userId", "previousId", "newId", "user", "schema", "description"}

// machineNames are the display names of machines. The catalogue does not call them personal,
// but they are the editor's name in other events, which is.
var machineNames = map[string]string{"user.machine.added": "name=name", "user.machine.changed": "name=name"}

type eventType struct {
	Type string
	Keys []struct {
		Name      string
		Sensitive any
	}
}

func makeTable(path string) ([]byte, error) {
	types, err := read(path)
	if err != nil {
		return nil, err
	}
	anywhere := map[string]bool{}
	for _, t := range types {
		for _, k := range t.Keys {
			if name := last(k.Name); k.Sensitive == "pii" && !slices.Contains(idKeys, name) {
				anywhere[name] = true
			}
		}
	}
	star := "*"
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range anywhere {
			if !yield(name) {
				return
			}
		}
	}) {
		star += " " + name + "=" + kind(name)
	}
	lines := []string{}
	for _, t := range types {
		var words []string
		if name, ok := machineNames[t.Type]; ok {
			words = append(words, name)
		}
		for _, k := range t.Keys {
			name := last(k.Name)
			switch {
			case k.Sensitive == "pii" && !anywhere[name]:
				words = append(words, k.Name+"="+kind(name))
			case k.Sensitive == false && anywhere[name]:
				words = append(words, "!"+k.Name)
			}
		}
		if len(words) > 0 {
			slices.Sort(words)
			lines = append(lines, t.Type+" "+strings.Join(slices.Compact(words), " ")+"\n")
		}
	}
	slices.Sort(lines)
	return []byte("# Made by gen: event type, then the paths of its personal values. *: keys of every type. !PATH: not personal in spite of its name.\n" +
		star + "\n" + strings.Join(slices.Compact(lines), "")), nil
}

func kind(name string) string {
	if k, ok := kinds[name]; ok {
		return k
	}
	return "data"
}

func last(path string) string {
	return strings.TrimSuffix(path[strings.LastIndexByte(path, '.')+1:], "[]")
}

func read(path string) (types []eventType, err error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	zip, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		return nil, err
	}
	return types, json.Unmarshal(text, &types)
}
