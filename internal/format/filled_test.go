package format_test

import (
	"bytes"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
)

// The baseline of BenchmarkNames writes the records that names make.
func TestBenchmark_SameFieldsAreTheSameRecords(t *testing.T) {
	events := recordedEvents(t)
	open := func() (*format.Format, *format.Encoder) {
		f, err := format.Open(config.FormatSettings{Format: "ecs", Tier: "noise"})
		if err != nil {
			t.Fatal(err)
		}
		return f, f.NewEncoder()
	}
	f, full := open()
	f.Remember(names(t))
	_, plain := open()
	_, same := open()
	differ, longer := 0, 0
	for _, e := range events {
		with := full.AppendMsgpack(nil, e, 0, nil)
		filled := full.Filled(e)
		if got := same.AppendFilled(nil, e, &filled); !bytes.Equal(got, with) {
			differ++
		}
		if len(with) > len(plain.AppendMsgpack(nil, e, 0, nil)) {
			longer++
		}
	}
	if differ > 0 || longer < len(events)/2 {
		t.Errorf("of %d records %d differ, and %d are longer than without names", len(events), differ, longer)
	}
}
