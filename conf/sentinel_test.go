package conf

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type column struct{ Name, Type string }

// sentinelRule is the data collection rule that sentinel.yaml writes to.
type sentinelRule struct {
	Kind       string
	Properties struct {
		StreamDeclarations map[string]struct{ Columns []column }
		Destinations       struct{ LogAnalytics []struct{ Name string } }
		DataFlows          []struct {
			Streams, Destinations      []string
			TransformKql, OutputStream string
		}
	}
}

func readSentinel(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile("sentinel/" + name)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(name, err)
	}
}

// sentinelColumns are the columns of the stream, with their types.
func sentinelColumns(t *testing.T) map[string]string {
	t.Helper()
	var rule sentinelRule
	readSentinel(t, "dcr.json", &rule)
	columns := map[string]string{}
	for _, c := range rule.Properties.StreamDeclarations["Custom-ZITADEL_CL"].Columns {
		columns[c.Name] = c.Type
	}
	return columns
}

// The rule fills each column of the table, from fields that records have.
func TestSentinel_RuleFillsTheTable(t *testing.T) {
	var rule sentinelRule
	readSentinel(t, "dcr.json", &rule)
	var table struct {
		Properties struct {
			Schema struct {
				Name    string
				Columns []column
			}
		}
	}
	readSentinel(t, "table.json", &table)
	flow := rule.Properties.DataFlows[0]
	stream := "Custom-" + table.Properties.Schema.Name
	if !slices.Equal(flow.Streams, []string{stream}) || flow.OutputStream != stream || !slices.Equal(flow.Destinations, []string{rule.Properties.Destinations.LogAnalytics[0].Name}) {
		t.Errorf("flow %+v", flow)
	}
	source := sentinelColumns(t)
	var want []string
	columnName, columnTypes := regexp.MustCompile(`^[A-Za-z]\w{0,44}$`), []string{"string", "int", "long", "real", "boolean", "dynamic", "datetime"}
	for _, c := range table.Properties.Schema.Columns {
		want = append(want, c.Name)
		if !columnName.MatchString(c.Name) || !slices.Contains(columnTypes, c.Type) {
			t.Errorf("column %+v", c)
		}
	}
	kql, ok := strings.CutPrefix(flow.TransformKql, "source | project ")
	if !ok || len(flow.TransformKql) > 15_360 || strings.Count(kql, "(") != strings.Count(kql, ")") || strings.Count(kql, "'")%2 != 0 {
		t.Errorf("transformation %s", flow.TransformKql)
	}
	var got []string
	known := fieldsOfECS(t)
	path := regexp.MustCompile(`tostring\(([^()]+)\)`)
	for _, part := range topLevel(kql) {
		name, expression, computed := strings.Cut(part, " = ")
		got = append(got, name)
		if !computed {
			expression = name
		}
		paths := path.FindAllStringSubmatch(expression, -1)
		if len(paths) == 0 {
			paths = [][]string{{"", expression}} // a column as it is
		}
		for _, m := range paths {
			field := strings.Replace(m[1], "['source']", "source", 1)
			column, _, nested := strings.Cut(field, ".")
			if _, ok := source[column]; !ok {
				t.Errorf("%s: %s is no column of the stream", name, column)
			}
			if nested && known[field] == "" {
				t.Errorf("%s: no record has %s", name, field)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("columns of the table and of the transformation (-want +got):\n%s", diff)
	}
}

// topLevel splits at commas outside of parentheses.
func topLevel(s string) (parts []string) {
	depth, from := 0, 0
	for i, c := range s {
		switch c {
		case '(', '[':
			depth++
		case ')', ']':
			depth--
		case ',':
			if depth == 0 {
				parts, from = append(parts, strings.TrimSpace(s[from:i])), i+1
			}
		}
	}
	return append(parts, strings.TrimSpace(s[from:]))
}
