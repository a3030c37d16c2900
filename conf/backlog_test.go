package conf

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// backlogSize is how many events wait when Fluent Bit starts. CONF_BACKLOG is for longer runs.
func backlogSize(t *testing.T) int {
	if v := os.Getenv("CONF_BACKLOG"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return 4_000
}

// Law 2, for destinations with a limit for a request: a service that refuses every larger
// request gets every event of a backlog, which waits for it during an outage. The events hold
// characters that are six times as long in JSON.
func TestFluentBit_ABacklogFitsIntoRequests(t *testing.T) {
	testkit.FluentBit(t)
	for _, to := range destinations {
		switch to.file {
		case "sentinel.yaml", "datadog.yaml", "newrelic.yaml", "google-secops.yaml":
		default:
			continue
		}
		t.Run(to.file, func(t *testing.T) {
			t.Parallel()
			d := newDeliveryTest(t, to.format, to.file)
			if len(d.desks) == 0 {
				t.Skip("was NOT run: see TestFluentBit_EveryDestinationGetsEveryAwkwardRecord")
			}
			d.size(backlogSize(t))
			d.append(0, d.events)
			k := d.desks[0]
			k.afterOpen.Store(1000) // no answer is lost or slow
			fb := d.start()
			// Meanwhile Fluent Bit takes all events: nothing may join a chunk that waits.
			fb.Until("the service has refused more than once", func() bool { return k.refused.Load() > 3 })
			began := time.Now()
			d.open()
			fb.Until("every record is there, and Fluent Bit knows it", func() bool {
				return len(k.records()) >= d.events && d.delivered()
			})
			t.Logf("%d events in %v", d.events, time.Since(began).Round(time.Millisecond))
			fb.Kill()
			d.judge(fb.Err.String())
		})
	}
}

// The same for lines of a log, which come by the output zitadel and the input forward.
func TestFluentBit_ABacklogOfLinesFitsIntoRequests(t *testing.T) {
	testkit.FluentBit(t)
	t.Parallel()
	d := newDeliveryTest(t, "ecs", "sentinel.yaml")
	const format = "format: ${ZITADEL_FORMAT:-raw}"
	data, err := os.ReadFile(d.p.path("conf", sources))
	if err != nil {
		t.Fatal(err)
	}
	d.p.write("conf/"+sources, strings.ReplaceAll(string(data), format, format+"\n      tier: noise"))
	var lines []string
	for range 400 {
		lines = append(lines, logLines(t)...)
	}
	d.p.write(logFile("c0ffee01"), docker(lines, "zitadel"))
	k := d.desks[0]
	k.open.Store(true)
	k.afterOpen.Store(1000)
	fb := d.start()
	want, delivered := len(actionIDs(lines)), 0
	fb.Until("every record is delivered", func() bool {
		delivered = d.metrics()[k.plugin].Delivered
		return delivered >= want
	})
	fb.Kill()
	if n := k.bytes.Load(); n < 3<<20 {
		t.Errorf("%d bytes for %d records would fit into few requests anyway", n, delivered)
	}
}

// Without the limit the same backlog is refused, or the test above says nothing.
func TestFluentBit_ABacklogWithoutLimitsIsRefused(t *testing.T) {
	testkit.FluentBit(t)
	t.Parallel()
	d := newDeliveryTest(t, "ecs", "datadog.yaml")
	const file = "conf/datadog.yaml"
	data, err := os.ReadFile(d.p.path(file))
	if err != nil {
		t.Fatal(err)
	}
	unlimited := regexp.MustCompile(`(?m)^  ZITADEL_MAX_CHUNK_\w+: .*\n`).ReplaceAllString(string(data), "")
	d.p.write(file, unlimited)
	d.size(3_000)
	d.append(0, d.events)
	k := d.desks[0]
	k.open.Store(true)
	k.afterOpen.Store(1000)
	k.large.Store(true)
	fb := d.start()
	fb.Until("a request is refused for its size", func() bool { return k.tooLarge.Load() > 0 })
	fb.Kill()
	if n := len(k.records()); n >= d.events {
		t.Errorf("%d records arrived", n)
	}
}

// size makes the test one with n events.
func (d *deliveryTest) size(n int) {
	d.events = n
	for _, k := range d.desks {
		k.want = wantedAwkward(d.instance, n)
	}
}
