package pipe

import (
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// A record costs no allocation of its own: the buffer is there, and neither the
// interface nor the containment of panics needs memory.
func TestAppendRecord_AllocatesNothing(t *testing.T) {
	p := New(Options{Encode: record.AppendMsgpack})
	var r record.Record = eventLog{padding: 100}.record(1)
	buf := make([]byte, 0, 1<<10)
	if n := testing.AllocsPerRun(1000, func() { _, buf = p.appendRecord(buf[:0], r) }); n != 0 {
		t.Errorf("%v allocations per record", n)
	}
}
