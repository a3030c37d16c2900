package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// maxFree stops a member from giving up more while so many sources are free: whoever
// is to have them takes them first.
const maxFree = 16

// share is how many sources each member is to hold.
func share(sources, members int) int {
	if members < 1 {
		members = 1
	}
	return (sources + members - 1) / members
}

// surplus tells whether a member that holds mine of known sources is to give one up: it is
// above its share, and somebody below it waits for sources. Members balance only while all
// know the same sources: while a new configuration is rolled out, a source may have no
// other reader, and would go back and forth.
func surplus(v View, lease, sources string, known, mine, free int) bool {
	limit := share(known, len(v.Members))
	if mine <= limit || free >= maxFree {
		return false
	}
	below := false
	for _, m := range v.Members {
		if m.Note.Sources != sources {
			return false
		}
		below = below || m.Lease != lease && m.Held < limit && m.Note.Waiting > 0
	}
	return below
}

// hashOf names a list of sources; the order does not matter.
func hashOf(instances []string) string {
	sorted := slices.Clone(instances)
	slices.Sort(sorted)
	sum := sha256.Sum256([]byte(strings.Join(sorted, "\n")))
	return hex.EncodeToString(sum[:8])
}
