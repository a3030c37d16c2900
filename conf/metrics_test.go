package conf

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
)

// outputMetrics are what Fluent Bit counts of an output.
type outputMetrics struct {
	Delivered int `json:"proc_records"`
	Dropped   int `json:"dropped_records"`
}

// metrics asks a running Fluent Bit what each output did, by the name of its plugin.
func (d *deliveryTest) metrics() map[string]outputMetrics {
	answer, err := http.Get("http://127.0.0.1:" + d.port + "/api/v1/metrics")
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	var all struct{ Output map[string]outputMetrics }
	if json.NewDecoder(answer.Body).Decode(&all) != nil {
		return nil
	}
	byPlugin := map[string]outputMetrics{}
	for name, m := range all.Output {
		plugin, _, _ := strings.Cut(name, ".")
		byPlugin[plugin] = m
	}
	return byPlugin
}

var pluginName = regexp.MustCompile(`(?m)^    - name: ([a-z0-9_-]+)$`)

// delivered says whether Fluent Bit knows of each service that it has every record, and
// has nothing more to send. A file and the directory of s3 count at once, and before the kill.
func (d *deliveryTest) delivered() bool {
	metrics := d.metrics()
	for _, k := range d.desks {
		if m := metrics[k.plugin]; k.path == "" && !k.late && m.Delivered < len(k.want) {
			return false
		} else if m.Dropped > 0 {
			d.t.Errorf("%s: %d records were dropped", k.file, m.Dropped)
		}
	}
	return true
}
