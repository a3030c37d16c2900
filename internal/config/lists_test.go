package config_test

import (
	"slices"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// The options of lines offer what the parser knows: a kind or a key that is new there cannot be
// left out here.
func TestOutputOptionsOfferWhatTheParserKnows(t *testing.T) {
	settings := func(name, value string) config.OutputSettings {
		s, _, err := config.Output.Parse(func(option string) string {
			if option == name {
				return value
			}
			return ""
		}, config.ParseOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if got := parser.KindsOf(settings("kinds", "all").Kinds...); got != parser.AllKinds {
		t.Errorf("kinds all is %b, the parser has %b", got, parser.AllKinds)
	}
	if got := parser.KindsOf(settings("", "").Kinds...); got != parser.DefaultKinds {
		t.Errorf("the default of kinds is %b, the parser's %b", got, parser.DefaultKinds)
	}
	for _, kind := range parser.KindNames() {
		if got := settings("kinds", kind).Kinds; !slices.Equal(got, []string{kind}) {
			t.Errorf("kinds %s is %v", kind, got)
		}
	}
	for _, key := range settings("", "").LineKeys {
		if !slices.Contains(parser.DefaultLineKeys, key) {
			t.Errorf("line_keys has %s by default, which the parser does not know", key)
		}
	}
	if got := settings("", "").ChosenLineKeys(); got != nil {
		t.Errorf("the default of line_keys is told as chosen: %v", got)
	}
	if got := settings("line_keys", "text,log").ChosenLineKeys(); !slices.Equal(got, []string{"text", "log"}) {
		t.Errorf("line_keys text,log is %v", got)
	}
}
