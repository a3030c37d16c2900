package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/tidwall/gjson"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact/payload"
	"github.com/zitadel-siem/zitadel-siem/internal/schema"
	"github.com/zitadel-siem/zitadel-siem/internal/version"
)

type explainCommand struct {
	Type        string `arg:"" optional:"" help:"Event type, such as user.locked. With -, read one record on standard input."`
	All         bool   `help:"Explain every event type."`
	SchemaFile  string `help:"YAML file that adds event types, or changes their severity, tier or category." env:"ZITADEL_SCHEMA_FILE" placeholder:"FILE" type:"path"`
	OcsfVersion string `name:"ocsf-version" help:"Version of OCSF: 1.8.0 or 1.9.0." env:"ZITADEL_OCSF_VERSION" default:"1.8.0" enum:"1.8.0,1.9.0"`
	Docs        bool   `hidden:"" help:"Write docs/events.md to standard output."`
}

func (c *explainCommand) Help() string {
	return "Shows what the table of event types says of a type, and what one example becomes in ECS, OCSF, CEF and LEEF, with the origin of each field. " +
		"A record on standard input can have any format that zitadel-siem writes; an event in the format raw is shown with its own values. " +
		"For example: zitadel-siem pull --once | head -1 | zitadel-siem explain -"
}

func (c *explainCommand) Run() error {
	table, err := format.Table(c.SchemaFile)
	if err != nil {
		return fmt.Errorf("--schema-file: %w%w", err, silent{errUsage})
	}
	o := schema.Options{OCSF19: c.OcsfVersion == config.OCSF19, Version: version.Version}
	switch {
	case c.All && c.Type != "":
		return fmt.Errorf("--all and the type %q contradict each other: give one%w", c.Type, silent{errUsage})
	case c.Docs:
		return table.WriteDocs(os.Stdout)
	case c.All:
		return explainAll(os.Stdout, table, o)
	case c.Type == "":
		return fmt.Errorf("no event type is given: zitadel-siem explain user.locked, explain --all, or explain - for a record on standard input%w", silent{errUsage})
	case c.Type == "-":
		return explainInput(os.Stdout, os.Stdin, table, o)
	}
	if _, known := table.Row(c.Type); !known {
		return unknownType(table, c.Type)
	}
	return table.Explain(os.Stdout, c.Type, o)
}

func explainAll(w io.Writer, table *schema.Table, o schema.Options) error {
	for i, row := range table.Rows() {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := table.Explain(w, row.Type, o); err != nil {
			return err
		}
	}
	return nil
}

// unknownType is the error for a type that the table does not know. The events of a
// newer ZITADEL can have one; a record of such a type is explained by the rules.
func unknownType(table *schema.Table, typ string) error {
	var names []string
	for _, row := range table.Rows() {
		names = append(names, row.Type)
	}
	hint := "explain --all lists all"
	if near := config.Nearest(typ, names); near != "" {
		hint = "did you mean " + near + "?"
	}
	return fmt.Errorf("%q is no event type that this version knows: %s (a record of a newer type is explained with explain -, and schema_file can add the type)%w", typ, hint, silent{errUsage})
}

// maxRecord bounds a record on standard input: no record of ours is larger.
const maxRecord = 16 << 20

// explainInput explains the first line of in.
func explainInput(w io.Writer, in io.Reader, table *schema.Table, o schema.Options) error {
	data, err := io.ReadAll(io.LimitReader(in, maxRecord))
	if err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	line, _, _ := bytes.Cut(bytes.TrimSpace(data), []byte("\n"))
	if json.Valid(data) { // one record over several lines
		line = data
	}
	if r, ok := rawEvent(line); ok {
		return table.ExplainRecord(w, r, o)
	}
	typ := typeOf(line)
	if typ == "" {
		return fmt.Errorf("standard input has no record of zitadel-siem: give one line in the format raw, ecs, ocsf, cef or leef, such as zitadel-siem pull --once | head -1%w", silent{errUsage})
	}
	return table.Explain(w, typ, o)
}

// typeOf returns the event type of a record in any format, or "".
func typeOf(line []byte) string {
	text := strings.TrimSpace(string(line))
	for _, prefix := range [...]string{"CEF:0|", "LEEF:2.0|"} {
		if at := strings.Index(text, prefix+schema.Vendor+"|"+schema.Product+"|"); at >= 0 { // after a head of syslog
			if parts := strings.SplitN(text[at:], "|", 6); len(parts) == 6 {
				return parts[4]
			}
		}
	}
	if !gjson.Valid(text) {
		return ""
	}
	// CEF and LEEF of Fluent Bit stand under message.
	get := gjson.GetMany(text, "event.type", "event.action", "metadata.event_code", "message")
	for _, v := range get[:3] {
		if v.Type == gjson.String && v.Str != "" {
			return v.Str
		}
	}
	if m := get[3].Str; strings.HasPrefix(m, "CEF:") || strings.HasPrefix(m, "LEEF:") {
		return typeOf([]byte(m))
	}
	return ""
}

// rawEvent reads an event in the format raw. Whoever typed it may have put secrets
// into it: they are removed.
func rawEvent(line []byte) (*record.Event, bool) {
	var in struct {
		Event struct {
			Type     string    `json:"type"`
			Sequence uint64    `json:"sequence"`
			Time     time.Time `json:"time"`
			Read     time.Time `json:"read_at"`
		} `json:"event"`
		Aggregate struct {
			Type          string `json:"type"`
			ID            string `json:"id"`
			ResourceOwner string `json:"resource_owner"`
		} `json:"aggregate"`
		Editor   record.Editor   `json:"editor"`
		Payload  json.RawMessage `json:"payload"`
		Instance string          `json:"instance"`
		Source   string          `json:"source"`
	}
	if err := json.Unmarshal(line, &in); err != nil || in.Event.Type == "" || in.Source != record.SourceEventsAPI && in.Source != record.SourceWebhook || in.Aggregate.Type == "" {
		return nil, false
	}
	r := &record.Event{
		Key:  record.Key{Instance: in.Instance, AggregateType: in.Aggregate.Type, AggregateID: in.Aggregate.ID, Sequence: in.Event.Sequence},
		Time: in.Event.Time, Read: cmp.Or(in.Event.Read, in.Event.Time), Type: in.Event.Type, ResourceOwner: in.Aggregate.ResourceOwner, Editor: in.Editor, Source: in.Source,
	}
	if len(in.Payload) > 0 {
		r.Payload = &structpb.Struct{}
		if err := protojson.Unmarshal(in.Payload, r.Payload); err != nil {
			return nil, false
		}
	}
	payload.Record(r)
	return r, true
}
