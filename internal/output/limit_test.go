package output

import (
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/chunks"
	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
)

// The receiver joins what has one tag: no tag may get more than the limit.
func TestFlush_NoTagGetsMoreThanTheLimit(t *testing.T) {
	const records, size = 9, 10_000
	w := newWorld(t, forwardtest.Options{}, func(o *Options) { o.Limit = chunks.Limit{Size: size, Records: records} })
	lines := append(recorded(t, "0*.stderr"), recorded(t, "mixed.stderr.gz")...)
	half := len(lines) / 2
	w.flush(t, OK, chunkOf(t, lines[:half]...))
	w.flush(t, OK, chunkOf(t, lines[half:]...))
	wantLines(t, w.Records(), lines)
	held := map[string]int{}
	for _, m := range w.Messages() {
		if !strings.HasPrefix(m.Tag, "kube.zitadel.") {
			t.Fatalf("tag %q", m.Tag)
		}
		held[m.Tag] += m.Bytes // msgpack, which is shorter than JSON
	}
	for tag, n := range held {
		if n > size {
			t.Errorf("%s has %d bytes", tag, n)
		}
	}
	if least := len(w.Records()) / records; len(held) < least || len(held) > 4*least {
		t.Errorf("%d tags for %d records", len(held), len(w.Records()))
	}
}
