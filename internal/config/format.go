package config

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The values of ocsf_version.
const (
	OCSF18 = "1.8.0"
	OCSF19 = "1.9.0"
)

// FormatSettings say how records are written.
type FormatSettings struct {
	Format       string // raw, ecs, ocsf, cef or leef
	OCSFVersion  string // OCSF18 or OCSF19
	Tier         string // core, useful or noise
	KeepOriginal bool
	SchemaFile   string // empty: none

	Pseudonyms        bool
	PseudonymsKeyFile string // set with Pseudonyms
}

// Raw reports whether records keep ZITADEL's own form.
func (s FormatSettings) Raw() bool { return s.Format == "raw" }

func (s *Settings) format() *FormatSettings       { return &s.Format }
func (s *OutputSettings) format() *FormatSettings { return &s.Format }

// formatOptions are the options for the form of records. of finds their settings.
func formatOptions[S any](of func(*S) *FormatSettings) Options {
	return lift(grouped("Options for the format of records", slices.Concat(Options{
		{
			Name: "format", Kind: KindEnum, Default: "raw", Values: []string{"raw", "ecs", "ocsf", "cef", "leef"}, Example: "ecs",
			Doc:   "Format of the records: `raw` is ZITADEL's own, `ecs` the Elastic Common Schema 9.4, `ocsf` the Open Cybersecurity Schema Framework, `cef` and `leef` are lines for ArcSight and QRadar",
			also:  []string{"schema", "output_format", "record_format", "formatter"},
			field: in(func(s *FormatSettings) any { return &s.Format }),
		},
		{
			Name: "tier", Kind: KindEnum, Default: "useful, with the format raw noise", Values: []string{"core", "useful", "noise"}, Example: "core",
			Doc:   "Which records are written: `core` are those that nearly every rule needs, `useful` adds what an analyst looks up, `noise` is everything. Records that are left out are counted",
			also:  []string{"level", "tiers", "verbosity", "min_tier"},
			field: in(func(s *FormatSettings) any { return &s.Tier }),
		},
		{
			Name: "ocsf_version", Kind: KindEnum, Default: OCSF18, Values: []string{OCSF18, OCSF19}, Example: OCSF19, Advanced: true,
			Doc:   "Version of OCSF; 1.9.0 has the newer classes for users and roles",
			also:  []string{"ocsf", "schema_version"},
			field: in(func(s *FormatSettings) any { return &s.OCSFVersion }),
		},
		{
			Name: "keep_original", Kind: KindSwitch, Default: "off", Example: "on", Advanced: true,
			Doc:   "Add the redacted event as ZITADEL has it to records in ECS (`event.original`) and OCSF (`raw_data`)",
			also:  []string{"keep_raw_event", "preserve_original_event", "raw_data"},
			field: in(func(s *FormatSettings) any { return &s.KeepOriginal }),
		},
		{
			Name: "schema_file", Kind: KindFile, Example: "/etc/zitadel-siem/schema.yaml", Advanced: true,
			Doc:    "YAML file that adds event types, or changes their severity, tier or category; `zitadel-siem explain` shows the result",
			also:   []string{"schema_path", "overlay", "overlay_file", "mapping", "mapping_file"},
			public: true, content: yamlContent,
			field: in(func(s *FormatSettings) any { return &s.SchemaFile }),
		},
	}, pseudonymOptions())), of)
}

// formatting completes and compares the options for the form of records.
func formatting(p *parser, s *FormatSettings) {
	if s.Tier == "" {
		s.Tier = "useful"
		if s.Raw() {
			s.Tier = "noise"
		}
	}
	if p.bad["format"] {
		return
	}
	if p.given["ocsf_version"] && s.Format != "ocsf" {
		p.warn("ocsf_version", "", "has no effect: format is "+s.Format, "remove it, or set format ocsf")
	}
	if s.KeepOriginal && s.Format != "ecs" && s.Format != "ocsf" {
		p.warn("keep_original", "", "has no effect: format is "+s.Format, "remove it, or set format ecs or ocsf")
	}
}

// yamlContent checks that a file is YAML. What its keys mean is for others to say.
func yamlContent(data []byte) error {
	var node yaml.Node
	if err := yaml.Unmarshal(data, &node); err != nil {
		return &valueError{"is not valid YAML (" + strings.TrimPrefix(err.Error(), "yaml: ") + ")", "fix it, or remove the option"}
	}
	return nil
}
