package chunks

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Whatever is sent in whatever order, nothing that shares a tag exceeds the limit. What
// exceeds it alone has a tag for itself.
func TestTags_NoTagHoldsMoreThanTheLimit(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, limit := range []Limit{{Size: 1000}, {Records: 7}, {Size: 1000, Records: 7}} {
		tags := NewTags(limit)
		type held struct{ size, records, sends int }
		sent := map[string]held{}
		for range 10_000 {
			base := []string{"zitadel.events", "zitadel.actions"}[random.IntN(2)]
			size, records := 1+random.IntN(300), 1+random.IntN(3)
			if random.IntN(100) == 0 {
				size, records = 2000, 20 // one record can exceed it
			}
			tag := tags.Tag(base, size, records)
			if !strings.HasPrefix(tag, base+".") {
				t.Fatalf("tag %q", tag)
			}
			h := sent[tag]
			sent[tag] = held{h.size + size, h.records + records, h.sends + 1}
		}
		for tag, h := range sent {
			if h.sends > 1 && limit.Exceeded(h.size, h.records) {
				t.Errorf("%v: %s holds %v", limit, tag, h)
			}
		}
		if len(sent) > 9000 {
			t.Errorf("%v: %d tags: nothing shares one", limit, len(sent))
		}
	}
}

func TestTags_WithoutALimitAreTheBase(t *testing.T) {
	if tag := NewTags(Limit{}).Tag("a", 1<<30, 1<<30); tag != "a" {
		t.Errorf("tag %q", tag)
	}
}

// Tags of containers come and go for years.
func TestTags_MemoryIsBounded(t *testing.T) {
	tags := NewTags(Limit{Records: 2})
	seen := map[string]bool{}
	for i := range 3 * maxOpen {
		tag := tags.Tag("log."+strconv.Itoa(i), 1, 1)
		if seen[tag] || len(tags.open) > maxOpen {
			t.Fatalf("tag %s, %d bases", tag, len(tags.open))
		}
		seen[tag] = true
	}
	for range 2 { // a base that was forgotten gets no tag that it had
		if tag := tags.Tag("log.0", 2, 2); seen[tag] {
			t.Errorf("%s again", tag)
		}
	}
}

// Two instances may send to one receiver with one base.
func TestTags_OfTwoInstancesDiffer(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	var all sync.WaitGroup
	for i := range 4 {
		tags := NewTags(Limit{Records: 1})
		all.Go(func() {
			for range 100 {
				tag := tags.Tag("a", 1, 1)
				mu.Lock()
				if other, ok := seen[tag]; ok {
					t.Errorf("%s is of %d and of %d", tag, other, i)
				}
				seen[tag] = i
				mu.Unlock()
			}
		})
	}
	all.Wait()
}
