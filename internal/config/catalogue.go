package config

import (
	_ "embed"
	"maps"
	"slices"
	"strings"
	"sync"
)

//go:embed catalogue.txt
var catalogueText string

// catalogue maps each known event type to the type of its aggregate.
var catalogue = sync.OnceValue(func() map[string]string {
	types := map[string]string{}
	for line := range strings.Lines(catalogueText) {
		if event, aggregate, ok := strings.Cut(strings.TrimSpace(line), " "); ok && !strings.HasPrefix(line, "#") {
			types[event] = aggregate
		}
	}
	return types
})

// EventTypes returns the known event types, sorted. Later versions of ZITADEL have
// more: an unknown type is a warning, not an error.
func EventTypes() []string { return slices.Clone(eventTypes()) }

var eventTypes = sync.OnceValue(func() []string { return slices.Sorted(maps.Keys(catalogue())) })

// AggregateTypes returns the known aggregate types, sorted.
func AggregateTypes() []string { return slices.Clone(aggregateTypes()) }

var aggregateTypes = sync.OnceValue(func() []string { return slices.Compact(slices.Sorted(maps.Values(catalogue()))) })
