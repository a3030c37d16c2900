package config

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestCatalogue(t *testing.T) {
	if n, m := len(EventTypes()), len(AggregateTypes()); n != 560 || m != 30 {
		t.Errorf("%d event types, %d aggregate types", n, m)
	}
	if !slices.IsSorted(EventTypes()) {
		t.Error("the event types are not sorted")
	}
}

// The fake server's types were recorded from ListEventTypes and ListAggregateTypes.
func TestTheCatalogueHasTheTypesOfTheFakeServer(t *testing.T) {
	recorded := map[string]string{}
	for _, f := range rows(t, "../zitadeltest/data/event_types.tsv") {
		recorded[f[0]] = f[1]
	}
	var aggregates []string
	for _, f := range rows(t, "../zitadeltest/data/aggregate_types.tsv") {
		aggregates = append(aggregates, f[0])
	}
	for typ, aggregate := range recorded {
		if catalogue()[typ] != aggregate {
			t.Errorf("%s belongs to %q in catalogue.txt, and to %q in event_types.tsv", typ, catalogue()[typ], aggregate)
		}
	}
	for typ := range catalogue() {
		if recorded[typ] == "" {
			t.Errorf("%s is not in event_types.tsv", typ)
		}
	}
	if slices.Sort(aggregates); !slices.Equal(aggregates, AggregateTypes()) {
		t.Errorf("aggregate_types.tsv has %q, catalogue.txt %q", aggregates, AggregateTypes())
	}
}

func rows(t *testing.T, path string) (list [][]string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		list = append(list, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	return list
}
